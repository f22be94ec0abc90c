// The example of an own bot: what it orders, and how many lines it takes. The packed library runs it in
// scripts/test/package.test.ts.

import { readFileSync } from 'node:fs';
import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { MemoryConnection } from 'tickbus/testing';
import { expect, it } from 'vitest';
import { movingAverage } from '../own-bot/moving-average.ts';

/** The lines of code of a file: no comments, no empty lines. */
function linesOf(name: string): number {
  const source = readFileSync(new URL(`../own-bot/${name}`, import.meta.url), 'utf8');
  return source.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('//')).length;
}

it('takes at most 20 lines, and its test 15', () => {
  expect(linesOf('moving-average.ts') + linesOf('main.ts')).toBeLessThanOrEqual(20);
  expect(linesOf('moving-average.test.ts')).toBeLessThanOrEqual(15);
});

it('buys above the average, in the size of the last command, and not while it is paused', async () => {
  const connection = new MemoryConnection();
  const desk = new RedisPublisher({ connection });
  const subscriber = new RedisSubscriber({ connection, logger: silentLogger });
  const orders: unknown[] = [];
  subscriber.subscribe(CHANNELS.TRADE_COMMANDS, ({ data }) => orders.push(data.quantity), {
    types: ['place_order'],
  });
  await subscriber.startListening();
  await using bot = movingAverage({ connection, logger: silentLogger });
  await bot.start();
  const times = { last_frame_ago_ms: 0, live_for_ms: 600_000, interval_ms: 600_000 };
  await desk.publish(CHANNELS.FEED_STATUS, { feed: 'test', state: 'live', ...times });
  const delivered = () => bot.subscriber.status(CHANNELS.PRICE_DATA)?.delivered;
  const tick = async (price: number) => {
    const expected = (delivered() ?? 0) + 1;
    await desk.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price, timestamp: Date.now() });
    await expect.poll(delivered).toBe(expected);
  };
  for (const price of [100, 90, 101]) await tick(price);
  await expect.poll(() => orders).toEqual([10]);
  await desk.ask(bot.commands, { bot: 'average', size: 3 }, { type: 'set_size' });
  await tick(102);
  await expect.poll(() => orders).toEqual([10, 3]);
  await desk.ask(bot.commands, { bot: 'average' }, { type: 'pause' });
  await tick(103);
  expect(bot.stats).toMatchObject({ commandsSent: 2, ordersHeldBack: 1 });
  await subscriber.close();
});

// The Redis users of docs/production.md for a second venue: its gateway serves its channel and no other.

import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS, priceChannel, tradeChannel } from 'tickbus/constants';
import { RedisLease } from 'tickbus/lease';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGateway } from '../gateway.ts';
import { SILENT } from './gateway.fixture.ts';
import { PickyFeed } from './picky-feed.fixture.ts';
import { as, USER_RULES } from './production-users.fixture.ts';

const PAGE = await readFile(new URL('../../../docs/production.md', import.meta.url), 'utf8');
const [, SCRIPT = ''] = /^sed -E '(.*gateway-kraken.*)' tickbus\.conf$/m.exec(PAGE) ?? [];
const INPUT = [...USER_RULES.map((rules) => `user ${rules}`), 'user default off', 'bind * &PRICE_DATA', ''];
const OUTPUT = String(execFileSync('sed', ['-E', SCRIPT], { input: INPUT.join('\n') })).split('\n');
const KRAKEN = priceChannel('kraken');
const patient = { timeout: 30_000 };

let redis: LocalRedis;
beforeAll(async () => {
  const rules = OUTPUT.flatMap((line) => /^user (\S+ on .*)/.exec(line)?.[1] ?? []);
  redis = await startLocalRedis({ args: rules.flatMap((each) => ['--user', ...each.split(' ')]) });
});
afterAll(() => redis.kill());

it('the command keeps all that the file has, and adds one user and names of channels', () => {
  const kept = OUTPUT.filter((line) => !line.startsWith('user gateway-kraken ')).map((line) =>
    line.replace(/ &\w+\.\*/g, '').replace(/~tickbus:\{\w+\.\*\}:demand /g, ''),
  );
  expect(kept).toEqual(INPUT);
  expect(OUTPUT).toHaveLength(INPUT.length + 1);
});

it('the gateway serves its channel, and bots request instruments there and receive them', async () => {
  const connection = new RedisConnection(as(redis, 'gateway-kraken'));
  const feed = new PickyFeed();
  const gateway = createGateway({
    createFeed: async () => feed,
    connection,
    channel: KRAKEN,
    leaseTtlMs: 2_500,
    demandIntervalMs: 20,
    logger: SILENT,
  });
  await gateway.start();
  const bots = ['bot', 'reader', 'monitor', 'doctor'].map((user) => new RedisSubscriber(as(redis, user)));
  for (const bot of bots) {
    bot.subscribe(KRAKEN, () => {}, { ...(bot === bots[0] && { keys: ['AAPL'] }) });
    await bot.startListening();
  }
  const trades: string[] = [];
  bots[0]?.subscribe(tradeChannel('kraken'), ({ message_type }) => void trades.push(message_type), {
    keys: ['MSFT'],
  });
  await expect.poll(() => feed.symbols, patient).toEqual(['AAPL', 'MSFT']);
  const bounds = { maxAgeMs: 60_000 };
  let timestamp = Date.now();
  const verdicts = () => {
    feed.listener?.onFrame([{ kind: 'trade', symbol: 'AAPL', price: 1, size: 1, timestamp: timestamp++ }]);
    return bots.map((bot) => bot.latest(KRAKEN, 'AAPL', bounds).verdict);
  };
  await expect.poll(verdicts, patient).toEqual(bots.map(() => 'fresh'));
  await expect.poll(() => trades, patient).toEqual(['trade_gap']);
  feed.listener?.onFrame([{ kind: 'trade', symbol: 'MSFT', price: 1, size: 1, timestamp }]);
  await expect.poll(() => trades, patient).toEqual(['trade_gap', 'trade']);
  expect(gateway.stats).toMatchObject({ failures: {}, leftOut: 0 });
  await Promise.all(bots.map((bot) => bot.close()));
  await gateway.stop();
  await connection.close();
});

it('the gateway of one venue can neither lead nor publish on the channel of another', async () => {
  for (const [user, channel] of [
    ['gateway-kraken', CHANNELS.PRICE_DATA],
    ['gateway', KRAKEN],
  ] as const) {
    await using publisher = new RedisPublisher(as(redis, user));
    const price = { symbol: 'AAPL', price: 1, timestamp: 0 };
    await expect(publisher.publish(channel, price)).rejects.toMatchObject({ code: 'TICKBUS_DENIED' });
    await using lease = new RedisLease({ ...as(redis, user), channel });
    await lease.start();
    await expect.poll(() => lease.problem, patient).toMatch(/NOPERM/);
  }
});

// The momentum bot: when it orders and when it does not.

import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import type { MemoryConnection } from 'tickbus/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Bot } from '../bot.ts';
import { type MomentumOptions, startMomentumBot } from '../momentum.ts';
import { BotHarness, eventually } from './sample-bots.fixture.ts';

let world: BotHarness;
let link: MemoryConnection;
let bot: Bot;
let seen: number;

beforeEach(async () => {
  world = await BotHarness.open();
});

afterEach(async () => {
  await bot.stop();
  await world.close();
});

async function start(options: MomentumOptions = {}): Promise<void> {
  seen = 0;
  link = world.connect();
  const rules = { threshold: 0.01, windowMs: 1_000, cooldownMs: 5_000, quantity: 3 };
  bot = await startMomentumBot({
    connection: link,
    logger: silentLogger,
    onPrice: () => seen++,
    ...rules,
    ...options,
  });
}

/** Publishes the prices, each when the bot has the one before (it is given only the newest otherwise), and gives the orders so far. */
async function ordersAfter(...prices: (readonly [price: number, timestamp: number, symbol?: string])[]) {
  for (const price of prices) {
    const expected = seen + 1;
    await world.publishPrice(...price);
    await eventually(() => expect(seen).toBe(expected));
  }
  // What the bot sent by now is published before this one of ours, and so is heard before it.
  await world.sendCommand('resume', 'nobody');
  await eventually(() => expect(world.commands.at(-1)?.data.bot).toBe('nobody'));
  return world.commands.filter(({ message_type }) => message_type === 'place_order').map(({ data }) => data);
}

it('buys what rises past the threshold, and addresses the executor', async () => {
  await start({ executor: 'desk-1' });
  expect(await ordersAfter([100, 0], [100.5, 100], [101, 200])).toEqual([
    { bot: 'desk-1', symbol: 'AAPL', side: 'buy', quantity: 3 },
  ]);
  expect(world.commands[0]).toMatchObject({ sender: 'momentum', id: expect.any(String) });
  expect(bot.stats.commandsSent).toBe(1);
});

it('sells what falls', async () => {
  await start();
  expect(await ordersAfter([100, 0], [99, 200])).toMatchObject([{ side: 'sell', bot: 'paper-trader' }]);
});

it('compares prices within the window only', async () => {
  await start();
  expect(await ordersAfter([100, 0], [100.9, 1_000], [101.5, 1_500])).toEqual([]);
});

it('waits out the cool-down, for each instrument of its own', async () => {
  await start();
  expect(await ordersAfter([100, 0], [102, 10], [104, 20])).toHaveLength(1);
  expect(await ordersAfter([10, 30, 'MSFT'], [11, 40, 'MSFT'])).toHaveLength(2);
  expect(await ordersAfter([100, 4_900], [102, 5_009])).toHaveLength(2);
  expect(await ordersAfter([102, 5_010])).toHaveLength(3);
});

it('orders nothing while it is paused, and says so', async () => {
  await start();
  await world.sendCommand('pause', 'momentum');
  await eventually(() =>
    expect(world.latestStatus('momentum')).toMatchObject({
      bot: 'momentum',
      state: 'paused',
      detail: 'The operator says so.',
    }),
  );
  expect(await ordersAfter([100, 0], [102, 10])).toEqual([]);
  await world.sendCommand('resume', 'momentum');
  await eventually(() => expect(world.latestStatus('momentum')?.state).toBe('running'));
  expect(await ordersAfter([104, 20])).toHaveLength(1);
  expect(bot.stats.commandsReceived).toBe(2);
});

it('tells an operator since when it runs, what it listens to, and how far it is behind', async () => {
  const before = Date.now();
  await start({ symbols: ['AAPL', 'MSFT'], statusIntervalMs: 500 });
  await eventually(() => expect(world.latestStatus('momentum')?.state).toBe('running'));
  const status = world.latestStatus('momentum');
  expect(status).toMatchObject({
    subscriptions: ['TRADE_COMMANDS: pause, resume', 'PRICE_DATA: AAPL, MSFT'],
    behind: 0,
    status_interval_ms: 500,
  });
  expect(status?.started_at).toBeGreaterThanOrEqual(before);
  expect(status?.started_at).toBeLessThanOrEqual(Date.now());
});

it('does not obey what is addressed to others', async () => {
  await start();
  await world.sendCommand('pause', 'another');
  expect(await ordersAfter([100, 0], [102, 10])).toHaveLength(1);
});

it('follows its symbols only', async () => {
  await start({ symbols: ['AAPL'] });
  await world.publishPrice(1, 0, 'MSFT');
  expect(await ordersAfter([100, 0])).toEqual([]);
  expect(bot.subscriber.status(CHANNELS.PRICE_DATA)).toMatchObject({ received: 2, delivered: 1, lost: 0 });
});

it('begins with the kept price, and does not act upon it', async () => {
  await world.publishPrice(102, 10);
  await start();
  await eventually(() => expect(seen).toBe(1));
  expect(await ordersAfter([102, 20])).toEqual([]);
  expect(await ordersAfter([104.1, 30])).toHaveLength(1);
});

it('forgets its windows after a loss', async () => {
  await start();
  await ordersAfter([100, 0]);
  link.disconnect();
  await world.publishPrice(103, 50);
  await world.publishPrice(105, 60);
  link.reconnect();
  await eventually(() => expect(seen).toBe(2));
  expect(await ordersAfter([105.1, 70])).toEqual([]);
  expect(await ordersAfter([107, 80])).toHaveLength(1);
});

it('goes on when an order could not be sent', async () => {
  await start();
  await ordersAfter([100, 0]);
  link.publishing.disconnect();
  await world.publishPrice(102, 10);
  await eventually(() => expect(bot.stats).toMatchObject({ commandsSent: 0, commandsFailed: 1 }));
  link.publishing.reconnect();
  expect(await ordersAfter([100, 6_000], [102, 6_010])).toHaveLength(1);
});

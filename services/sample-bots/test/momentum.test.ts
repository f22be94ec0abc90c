// The momentum bot: order conditions.

import { silentLogger } from '@tickbus/test-kit';
import type { Verdict } from 'tickbus';
import type { Bot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import type { MemoryConnection } from 'tickbus/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type MomentumOptions, momentumBot } from '../momentum.ts';
import { BotHarness, eventually } from './sample-bots.fixture.ts';

let harness: BotHarness;
let link: MemoryConnection;
let bot: Bot;
let seen: number;

beforeEach(async () => {
  harness = await BotHarness.open();
});

afterEach(async () => {
  await bot.stop();
  await harness.close();
});

async function start(options: MomentumOptions = {}): Promise<void> {
  seen = 0;
  link = harness.connect();
  const rules = { threshold: 0.01, windowMs: 1_000, cooldownMs: 5_000, quantity: 3 };
  const shared = { connection: link, logger: silentLogger };
  bot = momentumBot({ ...shared, ...rules, ...options }).onPrice(() => seen++);
  await bot.start();
}

/**
 * Publishes the prices and returns the orders so far. Waits for each delivery: conflation would drop prices otherwise.
 */
async function ordersAfter(...prices: (readonly [price: number, timestamp: number, symbol?: string])[]) {
  for (const price of prices) {
    const expected = seen + 1;
    await harness.publishPrice(...price);
    await eventually(() => expect(seen).toBe(expected));
  }
  // A marker command: every order sent before it also arrives before it.
  await harness.sendCommand('resume', 'nobody');
  await eventually(() => expect(harness.commands.at(-1)?.data.bot).toBe('nobody'));
  return harness.commands
    .filter(({ message_type }) => message_type === 'place_order')
    .map(({ data }) => data);
}

it('buys above the threshold, and addresses the executor', async () => {
  await start({ executor: 'desk-1' });
  expect(await ordersAfter([100, 0], [100.5, 100], [101, 200])).toEqual([
    { bot: 'desk-1', symbol: 'AAPL', side: 'buy', quantity: 3 },
  ]);
  expect(harness.commands[0]).toMatchObject({ sender: 'momentum', id: expect.any(String) });
  expect(bot.stats.commandsSent).toBe(1);
});

it('does not take a correction of the price for a move of the market', async () => {
  await start();
  // A trade at 50 that the venue cancels.
  expect(await ordersAfter([50, 0])).toEqual([]);
  await harness.publishPrice(100, 100, 'AAPL', CHANNELS.PRICE_DATA, 'correction');
  await eventually(() => expect(seen).toBe(2));
  expect(await ordersAfter([100.5, 200])).toEqual([]);
  expect(await ordersAfter([101, 300])).toHaveLength(1);
});

it.each(['halted', 'no_price'] as const)(
  'orders nothing while the market is %s, nor for the move since',
  async (market) => {
    await start();
    expect(await ordersAfter([100, 0])).toEqual([]);
    const becomes = async (expected: Verdict, status: typeof market | 'trading') => {
      await harness.publishInstrument({ state: 'subscribed', market: status });
      await eventually(() =>
        expect(bot.subscriber.latest(CHANNELS.PRICE_DATA, 'AAPL').verdict).toBe(expected),
      );
    };
    await becomes(market, market);
    expect(await ordersAfter([102, 100])).toEqual([]);
    await becomes('fresh', 'trading');
    expect(await ordersAfter([104, 200])).toEqual([]);
    expect(await ordersAfter([106, 300])).toHaveLength(1);
  },
);

it('sells a falling instrument', async () => {
  await start();
  expect(await ordersAfter([100, 0], [99, 200])).toMatchObject([{ side: 'sell', bot: 'paper-trader' }]);
});

it('compares prices within the window only', async () => {
  await start();
  expect(await ordersAfter([100, 0], [100.9, 1_000], [101.5, 1_500])).toEqual([]);
});

it('respects the cool-down per instrument', async () => {
  await start();
  expect(await ordersAfter([100, 0], [102, 10], [104, 20])).toHaveLength(1);
  expect(await ordersAfter([10, 30, 'MSFT'], [11, 40, 'MSFT'])).toHaveLength(2);
  expect(await ordersAfter([100, 4_900], [102, 5_009])).toHaveLength(2);
  expect(await ordersAfter([102, 5_010])).toHaveLength(3);
});

it('sends no orders while paused, and reports the pause', async () => {
  await start();
  await harness.sendCommand('pause', 'momentum');
  await eventually(() =>
    expect(harness.latestStatus('momentum')).toMatchObject({
      bot: 'momentum',
      state: 'paused',
      detail: 'Paused by the operator.',
    }),
  );
  expect(await ordersAfter([100, 0], [102, 10])).toEqual([]);
  await harness.sendCommand('resume', 'momentum');
  await eventually(() => expect(harness.latestStatus('momentum')?.state).toBe('running'));
  expect(await ordersAfter([104, 20])).toHaveLength(1);
  expect(bot.stats.commandsReceived).toBe(2);
});

it('reports start time, subscriptions and backlog', async () => {
  const before = Date.now();
  await start({ prices: ['AAPL', 'MSFT'], statusIntervalMs: 500 });
  await eventually(() => expect(harness.latestStatus('momentum')?.state).toBe('running'));
  const status = harness.latestStatus('momentum');
  expect(status).toMatchObject({
    subscriptions: ['TRADE_COMMANDS: pause, resume', 'PRICE_DATA: AAPL, MSFT'],
    behind: 0,
    status_interval_ms: 500,
  });
  expect(status?.started_at).toBeGreaterThanOrEqual(before);
  expect(status?.started_at).toBeLessThanOrEqual(Date.now());
});

it('ignores commands for other bots', async () => {
  await start();
  await harness.sendCommand('pause', 'another');
  expect(await ordersAfter([100, 0], [102, 10])).toHaveLength(1);
});

it('subscribes to its symbols only', async () => {
  await start({ prices: ['AAPL'] });
  await harness.publishPrice(1, 0, 'MSFT');
  expect(await ordersAfter([100, 0])).toEqual([]);
  expect(bot.subscriber.status(CHANNELS.PRICE_DATA)).toMatchObject({ received: 2, delivered: 1, lost: 0 });
});

it('starts the window with the snapshot, and does not act on it', async () => {
  await harness.publishPrice(102, 10);
  await start();
  await eventually(() => expect(seen).toBe(1));
  expect(await ordersAfter([102, 20])).toEqual([]);
  expect(await ordersAfter([104.1, 30])).toHaveLength(1);
});

it('clears its windows after a loss', async () => {
  await start();
  await ordersAfter([100, 0]);
  link.disconnect();
  await harness.publishPrice(103, 50);
  await harness.publishPrice(105, 60);
  link.reconnect();
  await eventually(() => expect(seen).toBe(2));
  expect(await ordersAfter([105.1, 70])).toEqual([]);
  expect(await ordersAfter([107, 80])).toHaveLength(1);
});

it('continues after a failed order', async () => {
  await start();
  await ordersAfter([100, 0]);
  link.publishing.disconnect();
  await harness.publishPrice(102, 10);
  await eventually(() => expect(bot.stats).toMatchObject({ commandsSent: 0, commandsFailed: 1 }));
  link.publishing.reconnect();
  expect(await ordersAfter([100, 6_000], [102, 6_010])).toHaveLength(1);
});

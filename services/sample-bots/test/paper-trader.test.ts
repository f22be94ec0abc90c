// The paper trader: executions, position, profit and loss, one execution per command.

import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS, priceChannel } from 'tickbus/constants';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Bot } from '../bot.ts';
import { type PaperTraderStats, startPaperTrader } from '../paper-trader.ts';
import { BotHarness, eventually } from './sample-bots.fixture.ts';

const NAME = 'paper-trader';

let harness: BotHarness;
let bot: Bot<PaperTraderStats>;
let seen: number;

beforeEach(async () => {
  seen = 0;
  harness = await BotHarness.open();
  bot = await startPaperTrader({
    connection: harness.connect(),
    logger: silentLogger,
    statusIntervalMs: 20,
    onPrice: () => seen++,
  });
});

afterEach(async () => {
  await bot.stop();
  await harness.close();
});

async function deliverPrice(price: number, symbol?: string): Promise<void> {
  const expected = seen + 1;
  await harness.publishPrice(price, 0, symbol);
  await eventually(() => expect(seen).toBe(expected));
}

async function expectStatus(expected: object): Promise<void> {
  await eventually(() => expect(harness.latestStatus(NAME)).toMatchObject({ bot: NAME, ...expected }));
}

it('executes at the latest price, and reports position and pnl', async () => {
  await deliverPrice(99);
  await deliverPrice(100);
  await harness.placeOrder(NAME, 'buy', 10);
  await expectStatus({ state: 'running', position: { AAPL: 10 }, pnl: 0 });
  await deliverPrice(101.5);
  await expectStatus({ state: 'running', position: { AAPL: 10 }, pnl: 15 });
  await harness.placeOrder(NAME, 'sell', 4);
  await expectStatus({ state: 'running', position: { AAPL: 6 }, pnl: 15 });
  await deliverPrice(100);
  await expectStatus({ state: 'running', position: { AAPL: 6 }, pnl: 6 });
  await eventually(() => expect(bot.stats).toMatchObject({ commandsReceived: 2, executed: 2, rejected: 0 }));
});

it('sells short, and keeps instruments separate', async () => {
  await deliverPrice(100);
  await deliverPrice(10, 'MSFT');
  await harness.placeOrder(NAME, 'sell', 5);
  await harness.placeOrder(NAME, 'buy', 2, { symbol: 'MSFT' });
  await deliverPrice(101);
  await expectStatus({ state: 'running', position: { AAPL: -5, MSFT: 2 }, pnl: -5 });
});

it('rejects an order without a price, and one outside its limit', async () => {
  await harness.placeOrder(NAME, 'buy', 1);
  await eventually(() => expect(bot.stats.rejected).toBe(1));
  await deliverPrice(100);
  await harness.placeOrder(NAME, 'buy', 1, { limit_price: 99.99 });
  await harness.placeOrder(NAME, 'sell', 1, { limit_price: 100.01 });
  await eventually(() => expect(bot.stats.rejected).toBe(3));
  await harness.placeOrder(NAME, 'buy', 1, { limit_price: 100 });
  await harness.placeOrder(NAME, 'sell', 3, { limit_price: 100 });
  await expectStatus({ state: 'running', position: { AAPL: -2 }, pnl: 0 });
});

it.each([
  ['unknown_instrument', { state: 'unknown' }],
  ['not_requested', { state: 'unsubscribed' }],
  ['halted', { state: 'subscribed', market: 'halted' }],
  ['no_price', { state: 'subscribed', market: 'no_price' }],
] as const)(
  'rejects an order of an instrument with the verdict %s, and says why',
  async (verdict, status) => {
    await deliverPrice(100);
    await harness.publishInstrument(status);
    await eventually(() => expect(bot.subscriber.latest(CHANNELS.PRICE_DATA, 'AAPL').verdict).toBe(verdict));
    await harness.placeOrder(NAME, 'buy', 1);
    await eventually(() => expect(bot.stats).toMatchObject({ executed: 0, rejected: 1 }));
    await harness.publishInstrument({ state: 'subscribed' });
    await eventually(() =>
      expect(bot.subscriber.latest(CHANNELS.PRICE_DATA, 'AAPL').verdict).not.toBe(verdict),
    );
    await harness.placeOrder(NAME, 'buy', 1);
    await eventually(() => expect(bot.stats).toMatchObject({ executed: 1, rejected: 1 }));
  },
);

it('trades at the prices of its channel only', async () => {
  const channel = priceChannel('kraken');
  const second = await startPaperTrader({ connection: harness.connect(), name: 'second', channel });
  await deliverPrice(100);
  await harness.publishPrice(7, 0, 'AAPL', channel);
  await eventually(() => expect(second.subscriber.status(channel)?.received).toBe(1));
  await harness.placeOrder('second', 'buy', 1);
  await harness.publishPrice(9, 0, 'AAPL', channel);
  await eventually(() =>
    expect(harness.results.map(({ detail }) => detail)).toContain('1 AAPL bought at 7.'),
  );
  await second.stop();
  expect(harness.latestStatus('second')?.subscriptions).toContain('PRICE_DATA.kraken');
});

it('executes a duplicate command once', async () => {
  await deliverPrice(100);
  const data = { bot: NAME, symbol: 'AAPL', side: 'buy', quantity: 1 };
  const command = { message_type: 'place_order', data, timestamp: 0, sender: 'another', id: 'one' };
  await harness.publishRaw(command);
  await harness.publishRaw(command);
  await harness.publishRaw({ ...command, id: 'two' });
  await eventually(() => expect(bot.stats).toMatchObject({ commandsReceived: 2, executed: 2 }));
  expect(bot.subscriber.status(CHANNELS.TRADE_COMMANDS)).toMatchObject({ duplicates: 1 });
});

it('ignores commands for other bots', async () => {
  await deliverPrice(100);
  await harness.placeOrder('another', 'buy', 7);
  await harness.placeOrder(NAME, 'buy', 1);
  await expectStatus({ state: 'running', position: { AAPL: 1 }, pnl: 0 });
  expect(bot.stats.commandsReceived).toBe(1);
});

it('rejects orders while paused', async () => {
  await deliverPrice(100);
  await harness.sendCommand('pause', NAME);
  await harness.placeOrder(NAME, 'buy', 1);
  await eventually(() => expect(bot.stats).toMatchObject({ executed: 0, rejected: 1 }));
  await harness.sendCommand('resume', NAME);
  await harness.placeOrder(NAME, 'buy', 1);
  await eventually(() => expect(bot.stats).toMatchObject({ executed: 1, rejected: 1 }));
});

it('reports once that it has stopped, with its last position', async () => {
  await deliverPrice(100);
  await harness.placeOrder(NAME, 'buy', 1);
  await eventually(() => expect(bot.stats.executed).toBe(1));
  await Promise.all([bot.stop(), bot.stop()]);
  await expectStatus({ state: 'stopped', position: { AAPL: 1 }, pnl: 0 });
  expect(harness.statuses.filter(({ state }) => state === 'stopped')).toHaveLength(1);
});

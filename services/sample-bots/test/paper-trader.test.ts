// The paper trader: executions, position, profit and loss, one execution per command.

import { silentLogger } from '@tickbus/test-kit';
import type { Bot } from 'tickbus/bot';
import { CHANNELS, priceChannel } from 'tickbus/constants';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { paperTrader } from '../paper-trader.ts';
import { BotHarness, eventually } from './sample-bots.fixture.ts';

const NAME = 'paper-trader';

let harness: BotHarness;
let bot: Bot;
let seen: number;

beforeEach(async () => {
  seen = 0;
  harness = await BotHarness.open();
  const options = { connection: harness.connect(), logger: silentLogger, statusIntervalMs: 20 };
  bot = paperTrader(options).onPrice(() => seen++);
  await bot.start();
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

/** Waits for that many executed and rejected orders. */
async function expectOrders(executed: number, rejected: number): Promise<void> {
  const orders = () => harness.results.filter(({ action }) => action === 'place_order');
  const count = (outcome: string) => orders().filter((order) => order.outcome === outcome).length;
  await eventually(() => expect([count('done'), count('rejected')]).toEqual([executed, rejected]));
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
  await expectOrders(2, 0);
});

it('has nothing to cancel', async () => {
  await harness.sendCommand('cancel_all', NAME);
  await eventually(() =>
    expect(harness.results.at(-1)).toMatchObject({ action: 'cancel_all', outcome: 'done' }),
  );
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
  await expectOrders(0, 1);
  await deliverPrice(100);
  await harness.placeOrder(NAME, 'buy', 1, { limit_price: 99.99 });
  await harness.placeOrder(NAME, 'sell', 1, { limit_price: 100.01 });
  await expectOrders(0, 3);
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
    await expectOrders(0, 1);
    await harness.publishInstrument({ state: 'subscribed' });
    await eventually(() =>
      expect(bot.subscriber.latest(CHANNELS.PRICE_DATA, 'AAPL').verdict).not.toBe(verdict),
    );
    await harness.placeOrder(NAME, 'buy', 1);
    await expectOrders(1, 1);
  },
);

it('trades at the prices of its venue only', async () => {
  const channel = priceChannel('kraken');
  await using second = paperTrader({ connection: harness.connect(), name: 'second', venue: 'kraken' });
  await second.start();
  await deliverPrice(100);
  await harness.publishPrice(7, 0, 'AAPL', channel);
  await eventually(() => expect(second.subscriber.status(channel)?.received).toBe(1));
  await harness.placeOrder('second', 'buy', 1);
  await harness.publishPrice(9, 0, 'AAPL', channel);
  await eventually(() =>
    expect(harness.results.map(({ detail }) => detail)).toContain('1 AAPL bought at 7.'),
  );
  await second.stop();
  await eventually(() =>
    expect(harness.latestStatus('second')?.subscriptions).toContain('PRICE_DATA.kraken'),
  );
});

it('executes a duplicate command once', async () => {
  await deliverPrice(100);
  const data = { bot: NAME, symbol: 'AAPL', side: 'buy', quantity: 1 };
  const command = { message_type: 'place_order', data, timestamp: 0, sender: 'another', id: 'one' };
  await harness.publishRaw(command);
  await harness.publishRaw(command);
  await harness.publishRaw({ ...command, id: 'two' });
  await expectOrders(2, 0);
  expect(bot.stats.commandsReceived).toBe(2);
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
  await expectOrders(0, 1);
  await harness.sendCommand('resume', NAME);
  await harness.placeOrder(NAME, 'buy', 1);
  await expectOrders(1, 1);
});

it('reports once that it has stopped, with its last position', async () => {
  await deliverPrice(100);
  await harness.placeOrder(NAME, 'buy', 1);
  await expectOrders(1, 0);
  await Promise.all([bot.stop(), bot.stop()]);
  await expectStatus({ state: 'stopped', position: { AAPL: 1 }, pnl: 0 });
  expect(harness.statuses.filter(({ state }) => state === 'stopped')).toHaveLength(1);
});

// The paper trader: executions, position, profit and loss, one execution a command.

import { silentLogger } from '@tickbus/test-kit';
import { CHANNELS } from 'tickbus/constants';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Bot } from '../bot.ts';
import { type PaperTraderStats, startPaperTrader } from '../paper-trader.ts';
import { BotHarness, eventually } from './sample-bots.fixture.ts';

const NAME = 'paper-trader';

let world: BotHarness;
let bot: Bot<PaperTraderStats>;
let seen: number;

beforeEach(async () => {
  seen = 0;
  world = await BotHarness.open();
  bot = await startPaperTrader({
    connection: world.connect(),
    logger: silentLogger,
    statusIntervalMs: 20,
    onPrice: () => seen++,
  });
});

afterEach(async () => {
  await bot.stop();
  await world.close();
});

async function priced(price: number, symbol?: string): Promise<void> {
  const expected = seen + 1;
  await world.publishPrice(price, 0, symbol);
  await eventually(() => expect(seen).toBe(expected));
}

async function told(expected: object): Promise<void> {
  await eventually(() => expect(world.latestStatus(NAME)).toMatchObject({ bot: NAME, ...expected }));
}

it('executes at the latest price and tells position and pnl', async () => {
  await priced(99);
  await priced(100);
  await world.placeOrder(NAME, 'buy', 10);
  await told({ state: 'running', position: { AAPL: 10 }, pnl: 0 });
  await priced(101.5);
  await told({ state: 'running', position: { AAPL: 10 }, pnl: 15 });
  await world.placeOrder(NAME, 'sell', 4);
  await told({ state: 'running', position: { AAPL: 6 }, pnl: 15 });
  await priced(100);
  await told({ state: 'running', position: { AAPL: 6 }, pnl: 6 });
  await eventually(() => expect(bot.stats).toMatchObject({ commandsReceived: 2, executed: 2, rejected: 0 }));
});

it('goes short, and keeps instruments apart', async () => {
  await priced(100);
  await priced(10, 'MSFT');
  await world.placeOrder(NAME, 'sell', 5);
  await world.placeOrder(NAME, 'buy', 2, { symbol: 'MSFT' });
  await priced(101);
  await told({ state: 'running', position: { AAPL: -5, MSFT: 2 }, pnl: -5 });
});

it('rejects an order without a price, and one past its limit', async () => {
  await world.placeOrder(NAME, 'buy', 1);
  await eventually(() => expect(bot.stats.rejected).toBe(1));
  await priced(100);
  await world.placeOrder(NAME, 'buy', 1, { limit_price: 99.99 });
  await world.placeOrder(NAME, 'sell', 1, { limit_price: 100.01 });
  await eventually(() => expect(bot.stats.rejected).toBe(3));
  await world.placeOrder(NAME, 'buy', 1, { limit_price: 100 });
  await world.placeOrder(NAME, 'sell', 3, { limit_price: 100 });
  await told({ state: 'running', position: { AAPL: -2 }, pnl: 0 });
});

it('executes a command once, however often it comes', async () => {
  await priced(100);
  const data = { bot: NAME, symbol: 'AAPL', side: 'buy', quantity: 1 };
  const command = { message_type: 'place_order', data, timestamp: 0, sender: 'another', id: 'one' };
  await world.publishRaw(command);
  await world.publishRaw(command);
  await world.publishRaw({ ...command, id: 'two' });
  await eventually(() => expect(bot.stats).toMatchObject({ commandsReceived: 2, executed: 2 }));
  expect(bot.subscriber.status(CHANNELS.TRADE_COMMANDS)).toMatchObject({ duplicates: 1 });
});

it('leaves commands for others alone', async () => {
  await priced(100);
  await world.placeOrder('another', 'buy', 7);
  await world.placeOrder(NAME, 'buy', 1);
  await told({ state: 'running', position: { AAPL: 1 }, pnl: 0 });
  expect(bot.stats.commandsReceived).toBe(1);
});

it('rejects orders while it is paused', async () => {
  await priced(100);
  await world.sendCommand('pause', NAME);
  await world.placeOrder(NAME, 'buy', 1);
  await eventually(() => expect(bot.stats).toMatchObject({ executed: 0, rejected: 1 }));
  await world.sendCommand('resume', NAME);
  await world.placeOrder(NAME, 'buy', 1);
  await eventually(() => expect(bot.stats).toMatchObject({ executed: 1, rejected: 1 }));
});

it('tells that it has stopped, with its last position, once', async () => {
  await priced(100);
  await world.placeOrder(NAME, 'buy', 1);
  await eventually(() => expect(bot.stats.executed).toBe(1));
  await Promise.all([bot.stop(), bot.stop()]);
  await told({ state: 'stopped', position: { AAPL: 1 }, pnl: 0 });
  expect(world.statuses.filter(({ state }) => state === 'stopped')).toHaveLength(1);
});

// The tests of docs/testing-bots.md: npx tsx --test rising.test.ts

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Bot } from 'tickbus/bot';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { ScriptedGateway } from 'tickbus/testing';
import { risingBot } from './rising.ts';

let gateway: ScriptedGateway;
let bot: Bot;
beforeEach(async () => {
  gateway = await ScriptedGateway.start();
  bot = risingBot({
    ...gateway.overrides,
    logger: { debug() {}, info() {}, warn() {}, error: console.error },
  });
  await bot.start();
  await gateway.quote('AAPL', { bid: 99, ask: 101 });
  await gateway.advance(100);
});
afterEach(async () => {
  await bot.stop();
  await gateway[Symbol.asyncDispose]();
});

test('buys after two rises', async () => {
  for (const price of [101, 102]) await gateway.price('AAPL', price);
  assert.deepEqual(gateway.sent('place_order'), [
    { bot: 'paper-trader', symbol: 'AAPL', side: 'buy', quantity: 1 },
  ]);
});

test('does not buy while nobody sells', async () => {
  await gateway.quote('AAPL', { bid: 99 });
  for (const price of [101, 102, 103]) await gateway.price('AAPL', price);
  assert.deepEqual(gateway.sent('place_order'), []);
});

test('does not count a rise over lost prices', async () => {
  await gateway.price('AAPL', 101);
  await gateway.gap('AAPL', 102, 103);
  assert.deepEqual(gateway.sent('place_order'), []);
});

test('cancels when the price is stale', async () => {
  await gateway.advance(1_900);
  assert.equal(gateway.sent('cancel_all').length, 0);
  await gateway.advance(200);
  assert.equal(gateway.sent('cancel_all').length, 1);
});

test('cancels in a halt, and buys again after it', async () => {
  await gateway.halt('AAPL', 'LUDP');
  await gateway.advance(100);
  await gateway.resume('AAPL');
  for (const price of [101, 102]) await gateway.price('AAPL', price);
  assert.deepEqual([gateway.sent('cancel_all').length, gateway.sent('place_order').length], [1, 1]);
});

test('cancels while the feed is degraded', async () => {
  await gateway.feed('degraded', 'Half of the messages cannot be understood.');
  await gateway.advance(100);
  assert.equal(gateway.sent('cancel_all').length, 1);
});

test('cancels when the gateway crashes, and buys after the takeover', async () => {
  await gateway.crash();
  await gateway.takeOver();
  await gateway.quote('AAPL', { bid: 100, ask: 102 });
  for (const price of [102, 103]) await gateway.price('AAPL', price);
  assert.deepEqual([gateway.sent('cancel_all').length, gateway.sent('place_order').length], [1, 1]);
});

test('cancels when the gateway stops', async () => {
  await gateway.stop();
  await gateway.advance(100);
  assert.equal(gateway.sent('cancel_all').length, 1);
});

test('buys nothing while it is paused', async () => {
  await gateway.desk.ask(bot.commands, { bot: 'rising' }, { type: 'pause' });
  for (const price of [101, 102]) await gateway.price('AAPL', price);
  assert.equal(bot.stats.ordersHeldBack, 1);
});

test('a plain subscriber works, too', async () => {
  await using subscriber = new RedisSubscriber(gateway.overrides);
  subscriber.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['AAPL'] });
  await subscriber.startListening();
  await gateway.halt('AAPL', 'LUDP');
  assert.equal(subscriber.latest(CHANNELS.PRICE_DATA, 'AAPL').verdict, 'halted');
});

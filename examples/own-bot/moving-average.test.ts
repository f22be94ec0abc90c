// The test of the bot, without Redis: npx tsx --test moving-average.test.ts

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScriptedGateway } from 'tickbus/testing';
import { movingAverage } from './moving-average.ts';

test('buys above the average, in the size of the last command, but not while it is paused', async () => {
  await using gateway = await ScriptedGateway.start();
  await using bot = movingAverage(gateway.overrides);
  await bot.start();
  await gateway.desk.ask(bot.commands, { bot: 'average', size: 5 }, { type: 'set_size' });
  for (const price of [100, 90, 101]) await gateway.price('AAPL', price);
  await gateway.desk.ask(bot.commands, { bot: 'average' }, { type: 'pause' });
  await gateway.price('AAPL', 102);
  assert.deepEqual([gateway.sent('place_order')[0]?.quantity, bot.stats.ordersHeldBack], [5, 1]);
});

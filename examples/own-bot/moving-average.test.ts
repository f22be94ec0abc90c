// The test of the bot, without Redis: npx tsx --test moving-average.test.ts

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RedisPublisher } from 'tickbus/publisher';
import { MemoryConnection } from 'tickbus/testing';
import { movingAverage } from './moving-average.ts';

test('takes another size, but not while it is paused', async () => {
  const connection = new MemoryConnection();
  const desk = new RedisPublisher({ connection });
  await using bot = movingAverage({ connection });
  await bot.start();
  const setSize = (size: number) => desk.ask(bot.commands, { bot: 'average', size }, { type: 'set_size' });
  assert.equal((await setSize(5)).outcome, 'done');
  await desk.ask(bot.commands, { bot: 'average' }, { type: 'pause' });
  await assert.rejects(setSize(6), { code: 'TICKBUS_REJECTED' });
});

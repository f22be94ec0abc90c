// The fake timers of node:test, as in docs/testing-bots.md.

import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import { systemClock } from 'tickbus';
import { ScriptedGateway } from 'tickbus/testing';
import { risingBot } from './rising.ts';

afterEach(() => mock.timers.reset());

const immediate = setImmediate;

async function advance(ms: number) {
  for (let passed = 0; passed < ms; passed += 100) {
    mock.timers.tick(100);
    await new Promise((resolve) => immediate(resolve));
  }
}

test('cancels when the price is stale', async () => {
  mock.timers.enable();
  await using gateway = await ScriptedGateway.start({ clock: systemClock });
  await using bot = risingBot({ connection: gateway.connection });
  await bot.start();
  await gateway.price('AAPL', 101);
  await advance(2_100);
  assert.equal(gateway.sent('cancel_all').length, 1);
});

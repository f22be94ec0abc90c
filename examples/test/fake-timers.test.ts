// The vitest example of docs/testing-bots.md.

import { systemClock } from 'tickbus';
import { ScriptedGateway } from 'tickbus/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { risingBot } from '../bot-tests/rising.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('cancels when the price is stale', async () => {
  await using gateway = await ScriptedGateway.start({ clock: systemClock });
  await using bot = risingBot({ connection: gateway.connection });
  await bot.start();
  await gateway.price('AAPL', 101);
  await vi.advanceTimersByTimeAsync(2_100);
  expect(gateway.sent('cancel_all')).toHaveLength(1);
});

// Rejects a connection that would hang because a test has installed fake timers.

import { clearTimeout as realClearTimeout, setTimeout as realSetTimeout } from 'node:timers';
import { TickbusError } from '../../errors.ts';

/** Longer than the steps of fake timers that advance with the real time: the Redis client works with these. */
const MAX_WAIT_MS = 1_000;

/**
 * Call it if timers are fake. The Redis client sends commands in `setImmediate`, and its sockets use
 * `process.nextTick`. Waits until both call back.
 *
 * @throws TickbusError `TICKBUS_CONNECT_FAILED` if one of them does not within 1 s of real time
 */
export async function checkFakeTimers(): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = realSetTimeout(() => reject(fakeTimersError()), MAX_WAIT_MS);
  });
  const immediate = new Promise<void>((resolve) => setImmediate(resolve));
  const tick = new Promise<void>((resolve) => process.nextTick(resolve));
  await Promise.race([Promise.all([immediate, tick]), late]).finally(() => realClearTimeout(timer));
}

function fakeTimersError(): TickbusError {
  return new TickbusError(
    'TICKBUS_CONNECT_FAILED',
    'Fake timers are installed, so a connection to Redis would hang: its client waits for callbacks that only the ' +
      'test runs. Use MemoryConnection of tickbus/testing, or restore the real timers (vi.useRealTimers()).',
  );
}

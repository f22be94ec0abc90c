// The system clock. With fake timers, it is theirs.

import { TickbusError } from '../errors.ts';
import type { Clock } from './clock.ts';
import { fakesOnlyTimers, monotonicTime } from './fake-timers.ts';
import { nextTurn } from './turns.ts';

/** The default of all `clock` options. Fake timers of vitest, Jest and `node:test` control it. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: monotonicTime,
  after(ms, callback) {
    if (fakesOnlyTimers()) throw onlyTimersError();
    // A timer is cancelled by the functions that it was made with, also if others have replaced them since.
    const { setTimeout, clearTimeout } = globalThis;
    let timer: NodeJS.Timeout;
    const wait = (left: number) => {
      const next = left > LONGEST_TIMER_MS ? () => wait(left - LONGEST_TIMER_MS) : callback;
      timer = setTimeout(next, Math.min(left, LONGEST_TIMER_MS));
      // Timers of browsers, and of some fakes, are numbers.
      timer.unref?.();
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
  nextTurn,
};

/** Node fires longer timers at once. Source: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function onlyTimersError(): TickbusError {
  return new TickbusError(
    'TICKBUS_INVALID_OPTION',
    'Fake timers replace setTimeout, but neither Date nor performance, so nothing can expire or become stale. Fake ' +
      'them too, as vi.useFakeTimers() does without toFake, or pass `clock: new ManualClock()` of tickbus/testing.',
    { field: 'clock' },
  );
}

// The system clock.

import type { Clock } from './clock.ts';

/** The default of all `clock` options. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    let timer: NodeJS.Timeout;
    const wait = (left: number) => {
      const next = left > LONGEST_TIMER_MS ? () => wait(left - LONGEST_TIMER_MS) : callback;
      timer = setTimeout(next, Math.min(left, LONGEST_TIMER_MS)).unref();
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
  nextTurn(callback) {
    setImmediate(callback);
  },
};

/** Node fires longer timers at once. Source: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

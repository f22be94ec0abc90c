// The system's time with fractions of a millisecond, so that latencies below one can be shown.

import { type Clock, systemClock } from 'tickbus';

/** Unix milliseconds, to a microsecond or so. */
export function preciseNow(): number {
  return performance.timeOrigin + performance.now();
}

export const preciseClock: Clock = { ...systemClock, now: preciseNow };

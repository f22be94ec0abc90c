// System time with sub-millisecond resolution, for latencies below 1 ms.

import { type Clock, systemClock } from 'tickbus';

/** Unix milliseconds with a resolution of about a microsecond. */
export function preciseNow(): number {
  return performance.timeOrigin + performance.now();
}

export const preciseClock: Clock = { ...systemClock, now: preciseNow };

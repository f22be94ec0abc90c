// Replays timed items at the recorded pace or at a multiple of it.

import { setImmediate, setTimeout } from 'node:timers/promises';

/** The clock of a replay; tests pass their own. */
export interface PaceClock {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface PacedOptions {
  /** 1 is the recorded pace (default), 2 twice as fast, `Infinity` as fast as the consumer reads. */
  readonly speed?: number;
  /** Aborts the replay: the iteration throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Default: the process's monotonic clock and timers. */
  readonly clock?: PaceClock;
}

/**
 * Yields `items` with pauses: the differences of their `at` (seconds), divided by `speed`. The due time of each item is
 * computed from the first item, so late timers and a slow consumer cause no drift: overdue items follow immediately.
 * Other tasks of the event loop run before every item, also at speed `Infinity`.
 *
 * @throws RangeError if `speed` is not above 0; the signal's reason when it aborts
 */
export async function* paced<Item extends { readonly at: number }>(
  items: Iterable<Item> | AsyncIterable<Item>,
  options: PacedOptions = {},
): AsyncGenerator<Item, void, undefined> {
  const { speed = 1, signal, clock = SYSTEM_CLOCK } = options;
  if (!(speed > 0)) throw new RangeError(`The replay speed must be a number above 0, but it is ${speed}.`);
  let origin: { readonly at: number; readonly now: number } | undefined;
  for await (const item of items) {
    origin ??= { at: item.at, now: clock.now() };
    const due = origin.now + ((item.at - origin.at) * 1000) / speed;
    await setImmediate();
    // A timer can fire early and cannot wait longer than MAX_TIMER_MS, hence the loop.
    for (let wait = due - clock.now(); wait > 0; wait = due - clock.now()) {
      await rethrowAbortReason(clock.sleep(Math.min(wait, MAX_TIMER_MS), signal), signal);
    }
    signal?.throwIfAborted();
    yield item;
  }
}

const MAX_TIMER_MS = 2 ** 31 - 1;

const SYSTEM_CLOCK: PaceClock = {
  now: () => performance.now(),
  sleep: (ms, signal) => setTimeout(ms, undefined, { ...(signal && { signal }) }),
};

/** Timers reject with their own AbortError; this throws the reason of the signal instead. */
async function rethrowAbortReason(sleep: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

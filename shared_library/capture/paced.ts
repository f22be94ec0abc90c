// Replays timed items at the pace they were recorded with, or at a multiple of it.

import { setImmediate, setTimeout } from 'node:timers/promises';

/** Time as a replay needs it; tests bring their own. */
export interface PaceClock {
  /** Milliseconds on a clock that only goes forward. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** How a replay runs. */
export interface PacedOptions {
  /** 1 is the true pace (default), 2 twice as fast, `Infinity` as fast as the consumer takes the items. */
  readonly speed?: number;
  /** Ends the replay: the iteration throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** Default: the process's monotonic clock and timers. */
  readonly clock?: PaceClock;
}

/**
 * Yields `items` with the pauses that lie between their `at` (seconds), divided by `speed`. Every item is due at a moment
 * counted from the first one, so that late timers and a slow consumer do not add up to drift: what is overdue follows at
 * once. The event loop gets its turn before every item, also at speed `Infinity`.
 *
 * @throws RangeError when `speed` is not above 0; the signal's reason when it aborts.
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
    // A timer may fire a moment early and cannot wait longer than LONGEST_TIMER_MS, hence the loop.
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

/** Timers reject with an AbortError of their own; the caller is promised the reason it aborted with. */
async function rethrowAbortReason(sleep: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

// Monotonic time, also while fake timers of vitest, Jest or `node:test` are installed.

import { performance as realPerformance } from 'node:perf_hooks';
import { setTimeout as realSetTimeout } from 'node:timers';

interface TimeSource {
  /** The globals with which it was chosen. */
  readonly performance: unknown;
  readonly Date: unknown;
  readonly read: () => number;
  /** Added to what it reads, so that time goes on from where the source before has left it. */
  readonly offset: number;
}

/**
 * Milliseconds that never go back: those of `performance`, faked or not. If `Date` and timers are faked without it, as
 * by `node:test`, those of `Date`. If only `Date` is faked, real ones: that is a machine whose date was set.
 */
export function monotonicTime(): number {
  if (globalThis.performance !== source.performance || Date !== source.Date) source = nextSource();
  return source.read() + source.offset;
}

/** True if a test advances timers. Those of `node:test` look real unless `Date` is fake, too. */
export function areTimersFake(): boolean {
  return 'clock' in setTimeout || (isFakeDate() && globalThis.setTimeout !== realSetTimeout);
}

/** True if a test advances timers, but no clock. */
export function fakesOnlyTimers(): boolean {
  return areTimersFake() && isRealPerformance() && !isFakeDate();
}

const readReal = () => realPerformance.now();

let source: TimeSource = { performance: realPerformance, Date, read: readReal, offset: 0 };

/** Fake timers were installed or removed since the last reading. */
function nextSource(): TimeSource {
  const before = source.read() + source.offset;
  const { performance } = globalThis;
  const globals = { performance, Date };
  // Fake performance starts at 0, so that the time from its installation until now counts.
  if (!isRealPerformance()) return { ...globals, read: () => performance.now(), offset: before };
  const read = isFakeDate() && areTimersFake() ? onlyForward(() => Date.now()) : readReal;
  return { ...globals, read, offset: before - read() };
}

function isRealPerformance(): boolean {
  const present: unknown = globalThis.performance;
  return present === realPerformance;
}

/** Fakes of vitest and Jest have a `clock`, those of `node:test` have `isMock`. */
function isFakeDate(): boolean {
  return 'clock' in Date || 'isMock' in Date;
}

/** A test may set the date back. */
function onlyForward(read: () => number): () => number {
  let [last, offset] = [read(), 0];
  return () => {
    const now = read();
    if (now < last) offset += last - now;
    last = now;
    return now + offset;
  };
}

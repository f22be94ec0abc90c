// The clock of the library: the system clock, or a manual one in tests.

import type { Unsubscribe } from './emitter.ts';

/** The source of time of the library, so that tests control it. Only `transport/redis/` also uses the system clock. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds from an arbitrary start; never jumps. */
  monotonic(): number;
  /** Calls back once after `ms` milliseconds, unless cancelled. Does not keep the process alive. */
  after(ms: number, callback: () => void): Unsubscribe;
  /** Calls back in the next turn of the event loop, after pending input has been read. */
  nextTurn(callback: () => void): void;
}

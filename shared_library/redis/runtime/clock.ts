// The clock as the library sees it: the system's, or one that a test moves by hand.

import type { Unsubscribe } from './emitter.ts';

/** The only source of time in the library. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds since some moment; never jumps. */
  monotonic(): number;
  /** Calls back once after `ms` milliseconds, unless cancelled. Keeps no process alive. */
  after(ms: number, callback: () => void): Unsubscribe;
  /** Calls back in the next turn of the event loop, after what has arrived in between was read. */
  nextTurn(callback: () => void): void;
}

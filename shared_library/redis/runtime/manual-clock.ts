// A clock for tests that stands still until `advance`, `skip` or `setNow` is called.

import type { Clock } from './clock.ts';
import type { Unsubscribe } from './emitter.ts';
import { nextTurn } from './turns.ts';

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

/**
 * `now()` and `monotonic()` change only by `advance`, `skip` and `setNow`. Turns of the event loop are real, so
 * messages flow as in production.
 */
export class ManualClock implements Clock {
  #now: number;
  #monotonic = 0;
  readonly #timers = new Set<Timer>();

  /** @param start Unix milliseconds. Default: 2026-01-01T00:00:00Z. */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(ms: number, callback: () => void): Unsubscribe {
    const timer: Timer = { due: this.#monotonic + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  nextTurn(callback: () => void): void {
    nextTurn(callback);
  }

  /** Advances by `ms` milliseconds. Runs due timers in order, with one turn of the event loop after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    for (let timer = this.#next(end); timer !== undefined; timer = this.#next(end)) {
      this.#moveTo(Math.max(timer.due, this.#monotonic));
      this.#timers.delete(timer);
      timer.callback();
      await settle();
    }
    this.#moveTo(end);
    await settle();
  }

  /** Advances without running due timers, as in a process whose event loop is blocked. */
  skip(ms: number): void {
    this.#moveTo(this.#monotonic + ms);
  }

  /** Sets the wall clock, as when the machine's time is changed. Does not affect `monotonic()` and timers. */
  setNow(now: number): void {
    this.#now = now;
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers)
      if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
    return next;
  }

  #moveTo(monotonic: number): void {
    this.#now += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }
}

/** One turn of the event loop, promises included. */
function settle(): Promise<void> {
  return new Promise(nextTurn);
}

// A clock for tests: it stands still until it is told to move.

import type { Clock } from './clock.ts';
import type { Unsubscribe } from './emitter.ts';

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

/**
 * `now()` and `monotonic()` move only by `advance`. Turns of the event loop are real, so that messages flow as they do
 * in life.
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
    setImmediate(callback);
  }

  /** Moves on by `ms` milliseconds, calling what falls due on the way in its order, and lets what follows from each happen. */
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

  /** The time goes on and nothing that falls due is called, as in a process whose event loop is blocked. */
  skip(ms: number): void {
    this.#moveTo(this.#monotonic + ms);
  }

  /** Sets the wall clock, as when somebody changes the machine's time: `monotonic()` and timers do not notice. */
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
  return new Promise((resolve) => setImmediate(resolve));
}

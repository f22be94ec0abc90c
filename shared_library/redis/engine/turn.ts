// How long handlers have been running in this turn of the event loop, so that they never keep the socket unread.

import type { Clock } from '../core/ports.ts';

/** Milliseconds that handlers may run before the event loop gets its turn to read what has arrived. */
const SLICE_MS = 10;

export class Turn {
  readonly #clock: Clock;
  #number = 1;
  #startedAt: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts the turns in which anything was handled. */
  get number(): number {
    this.#begin();
    return this.#number;
  }

  /** When this turn began, by the monotonic clock. */
  get startedAt(): number {
    return this.#begin();
  }

  /** True when handlers have had their share of this turn. */
  get spent(): boolean {
    return this.#clock.monotonic() - this.#begin() > SLICE_MS;
  }

  /** Calls back in the next turn. */
  next(callback: () => void): void {
    this.#clock.nextTurn(callback);
  }

  #begin(): number {
    if (this.#startedAt === undefined) {
      this.#startedAt = this.#clock.monotonic();
      this.#clock.nextTurn(() => {
        this.#number++;
        this.#startedAt = undefined;
      });
    }
    return this.#startedAt;
  }
}

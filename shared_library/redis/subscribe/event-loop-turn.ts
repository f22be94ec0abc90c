// How long handlers have been running in this turn of the event loop, so that they never keep the socket unread.

import type { Clock } from '../runtime/clock.ts';

/** Milliseconds that handlers may run before the event loop gets its turn to read what has arrived. */
const SLICE_MS = 10;

/**
 * Where a turn ends is asked of the event loop only when it matters, because asking costs as much as handling a message: when
 * something has to wait, or when half of the share is used up. Until then time adds up over turns.
 */
export class EventLoopTurn {
  readonly #clock: Clock;
  #number = 1;
  #startedAt: number | undefined;
  #handledMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts the turns in which anything had to wait. */
  get number(): number {
    this.#awaitEnd();
    return this.#number;
  }

  /** When this turn began, as far as is known, by the monotonic clock. */
  get startedAt(): number {
    return this.#awaitEnd();
  }

  /** True when handlers have had their share of this turn. */
  get spent(): boolean {
    return this.#handledMs > SLICE_MS;
  }

  /** The time to tell `handled` of. */
  now(): number {
    return this.#clock.monotonic();
  }

  /** A handler has been running since then. */
  handled(since: number): void {
    this.#handledMs += this.#clock.monotonic() - since;
    if (this.#handledMs > SLICE_MS / 2) this.#awaitEnd();
  }

  /** Calls back in the next turn. */
  next(callback: () => void): void {
    this.#awaitEnd();
    this.#clock.nextTurn(callback);
  }

  #awaitEnd(): number {
    if (this.#startedAt === undefined) {
      this.#startedAt = this.#clock.monotonic();
      this.#clock.nextTurn(() => {
        this.#number++;
        this.#startedAt = undefined;
        this.#handledMs = 0;
      });
    }
    return this.#startedAt;
  }
}

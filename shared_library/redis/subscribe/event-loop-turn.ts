// Limits the time that handlers use in one turn of the event loop, so that the socket is always read in time.

import type { Clock } from '../runtime/clock.ts';

/** Milliseconds that handlers may run before the event loop gets to read what has arrived. */
const BUDGET_MS = 10;

/**
 * The end of a turn is scheduled only if a message has to wait, a handler returns a promise, or half of the budget is
 * spent: scheduling costs as much as handling a message. Until then, handler time adds up over several turns.
 */
export class EventLoopTurn {
  readonly #clock: Clock;
  #number = 1;
  #startedAt: number | undefined;
  #handlerMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of this turn. Turns whose end was not scheduled are not counted. */
  get number(): number {
    this.#scheduleEnd();
    return this.#number;
  }

  /** The monotonic time at which the end of this turn was scheduled, at or after its beginning. */
  get startedAt(): number {
    return this.#scheduleEnd();
  }

  get isBudgetSpent(): boolean {
    return this.#handlerMs > BUDGET_MS;
  }

  /** The monotonic time, for `addHandlerTime`. */
  now(): number {
    return this.#clock.monotonic();
  }

  /** Adds the time from `since` until now. */
  addHandlerTime(since: number): void {
    this.#handlerMs += this.#clock.monotonic() - since;
    if (this.#handlerMs > BUDGET_MS / 2) this.#scheduleEnd();
  }

  runNextTurn(callback: () => void): void {
    this.#scheduleEnd();
    this.#clock.nextTurn(callback);
  }

  /** Resets the budget at the end of this turn. Returns `startedAt`. */
  #scheduleEnd(): number {
    if (this.#startedAt === undefined) {
      this.#startedAt = this.#clock.monotonic();
      this.#clock.nextTurn(() => {
        this.#number++;
        this.#startedAt = undefined;
        this.#handlerMs = 0;
      });
    }
    return this.#startedAt;
  }
}

// Spaces out the recoveries that forged numbers cause, so that a flood of them does not become a flood of reads.

import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';

/** Milliseconds from a recovery that found a forged number to the next recovery. */
const PAUSE_MS = 100;

export class RecoveryPause {
  readonly #clock: Clock;
  #endsAt = Number.NEGATIVE_INFINITY;
  #cancelTimer: Unsubscribe = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isActive(): boolean {
    return this.#clock.monotonic() < this.#endsAt;
  }

  begin(): void {
    this.#endsAt = this.#clock.monotonic() + PAUSE_MS;
  }

  /** Runs `action` at the end of the pause, or now if no pause is active. Replaces an action that still waits. */
  run(action: () => void): void {
    this.#cancelTimer();
    if (!this.isActive) return action();
    this.#cancelTimer = this.#clock.after(this.#endsAt - this.#clock.monotonic(), action);
  }

  /** Cancels the waiting action. The pause goes on. */
  cancel(): void {
    this.#cancelTimer();
  }
}

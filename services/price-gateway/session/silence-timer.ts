// Notices that nothing was heard for a while. Hearing something costs an assignment, however often it happens.

export class SilenceTimer {
  readonly #limitMs: number;
  readonly #onSilence: () => void;
  #lastResetAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** @param onSilence called after `limitMs` milliseconds without a `heard()`, and again after as many more */
  constructor(limitMs: number, onSilence: () => void) {
    this.#limitMs = limitMs;
    this.#onSilence = onSilence;
  }

  /** Milliseconds since something was heard. */
  get elapsedMs(): number {
    return performance.now() - this.#lastResetAt;
  }

  reset(): void {
    this.#lastResetAt = performance.now();
  }

  start(): void {
    this.reset();
    this.#schedule(this.#limitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => this.#check(), ms);
  }

  #check(): void {
    const left = this.#limitMs - this.elapsedMs;
    this.#schedule(left > 0 ? left : this.#limitMs);
    if (left <= 0) this.#onSilence();
  }
}

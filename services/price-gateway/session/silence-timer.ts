// Detects inactivity. A reset only stores a timestamp, so it is cheap enough to call for every frame.

export class SilenceTimer {
  readonly #limitMs: number;
  readonly #onSilence: () => void;
  #lastResetAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param onSilence called after `limitMs` milliseconds without a `reset()`, and again after each further `limitMs`
   */
  constructor(limitMs: number, onSilence: () => void) {
    this.#limitMs = limitMs;
    this.#onSilence = onSilence;
  }

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
    const remainingMs = this.#limitMs - this.elapsedMs;
    this.#schedule(remainingMs > 0 ? remainingMs : this.#limitMs);
    if (remainingMs <= 0) this.#onSilence();
  }
}

// Notices that nothing was heard for a while. Hearing something costs an assignment, however often it happens.

export class Silence {
  readonly #limitMs: number;
  readonly #onSilence: () => void;
  #heardAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** @param onSilence called after `limitMs` milliseconds without a `heard()`, and again after as many more */
  constructor(limitMs: number, onSilence: () => void) {
    this.#limitMs = limitMs;
    this.#onSilence = onSilence;
  }

  /** Milliseconds since something was heard. */
  get forMs(): number {
    return performance.now() - this.#heardAt;
  }

  heard(): void {
    this.#heardAt = performance.now();
  }

  start(): void {
    this.heard();
    this.#wait(this.#limitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    const left = this.#limitMs - this.forMs;
    this.#wait(left > 0 ? left : this.#limitMs);
    if (left <= 0) this.#onSilence();
  }
}

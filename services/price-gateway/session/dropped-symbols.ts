// Detects instruments that the venue still sends, but whose messages are no longer understood.

/** An instrument is reported after this many consecutive frames that were not understood. */
const MIN_FRAMES = 3;
/** A longer pause between two of these frames means that they have nothing to do with each other, in milliseconds. */
const MAX_PAUSE_MS = 3_000;
/** Instruments with such frames: bounds memory. */
const MAX_SYMBOLS = 10_000;

interface Suspicion {
  readonly frames: number;
  readonly lastAt: number;
  readonly reason: string;
}

export class DroppedSymbols {
  readonly #now: () => number;
  readonly #suspicions = new Map<string, Suspicion>();

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A frame that names these instruments was not understood. @param reason a sentence */
  add(symbols: readonly string[], reason: string): void {
    const lastAt = this.#now();
    for (const symbol of symbols) {
      const before = this.#suspicions.get(symbol);
      if (before === undefined && this.#suspicions.size >= MAX_SYMBOLS) return;
      const frames = before !== undefined && lastAt - before.lastAt <= MAX_PAUSE_MS ? before.frames + 1 : 1;
      this.#suspicions.set(symbol, { frames, lastAt, reason });
    }
  }

  /** An event of the instrument was understood. Called for every event. */
  understood(symbol: string): void {
    if (this.#suspicions.size > 0) this.#suspicions.delete(symbol);
  }

  reset(): void {
    this.#suspicions.clear();
  }

  /** The dropped instruments, each with the reason. Forgets those of which no more frames come. */
  list(): ReadonlyMap<string, string> {
    const now = this.#now();
    const dropped = new Map<string, string>();
    for (const [symbol, { frames, lastAt, reason }] of this.#suspicions) {
      if (now - lastAt > MAX_PAUSE_MS) this.#suspicions.delete(symbol);
      else if (frames >= MIN_FRAMES) dropped.set(symbol, reason);
    }
    return dropped;
  }
}

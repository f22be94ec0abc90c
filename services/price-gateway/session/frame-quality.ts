// The share of a feed's frames that cannot be understood: unreadable, or with an event that is not valid.

/** Half of the counting window, in milliseconds: counts cover the last 1.5 to 3 s. */
const WINDOW_MS = 1_500;
/** Fewer bad frames than this in a window can be an accident. */
const MIN_BAD = 10;
/**
 * From this share on, prices of some instruments may be missing. If one of 20 equally active
 * instruments cannot be understood, the share is 0.05.
 */
export const DEGRADED_SHARE = 0.04;
/** From this share on, the feed delivers too little to be used. */
const DOWN_SHARE = 0.5;

interface Window {
  good: number;
  bad: number;
}

export interface QualityProblem {
  readonly state: 'degraded' | 'down';
  /** A sentence for the operator. */
  readonly detail: string;
}

export class FrameQuality {
  readonly #now: () => number;
  #startedAt: number;
  #current: Window = { good: 0, bad: 0 };
  #previous: Window = { good: 0, bad: 0 };
  #reason = '';

  /** @param now monotonic milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#startedAt = now();
  }

  /** A frame, or an event of one, was understood. */
  good(): void {
    this.#current.good++;
  }

  /** @param reason why a frame or an event was not understood */
  bad(reason: string): void {
    this.#current.bad++;
    this.#reason = reason;
  }

  reset(): void {
    this.#current = { good: 0, bad: 0 };
    this.#previous = { good: 0, bad: 0 };
    this.#startedAt = this.#now();
  }

  /** Call it at least once in 1.5 s: a longer pause discards earlier counts. */
  problem(): QualityProblem | undefined {
    const elapsed = this.#now() - this.#startedAt;
    if (elapsed >= WINDOW_MS) {
      this.#previous = elapsed < 2 * WINDOW_MS ? this.#current : { good: 0, bad: 0 };
      this.#current = { good: 0, bad: 0 };
      this.#startedAt = this.#now();
    }
    const bad = this.#current.bad + this.#previous.bad;
    const all = bad + this.#current.good + this.#previous.good;
    if (bad < MIN_BAD || bad < DEGRADED_SHARE * all) return undefined;
    const state = bad < DOWN_SHARE * all ? 'degraded' : 'down';
    const detail = `${Math.ceil((100 * bad) / all)} % of the feed's messages cannot be understood: ${this.#reason}`;
    return { state, detail };
  }
}

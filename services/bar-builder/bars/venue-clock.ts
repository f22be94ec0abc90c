// The time at the venue: that of the newest trade, plus what has elapsed since it arrived.

/**
 * Trades drive this clock, so that a recording, a delayed feed and a wrong system clock yield the same bars. Elapsed
 * time closes the bars of a market that has fallen silent. Times are in milliseconds.
 */
export class VenueClock {
  #newest = Number.NEGATIVE_INFINITY;
  #base = Number.NEGATIVE_INFINITY;
  #setAt = 0;

  /** The time of the newest trade, Unix milliseconds; -Infinity before the first. */
  get newest(): number {
    return this.#newest;
  }

  /** @param monotonic when the trade arrived, by a clock that never jumps */
  observe(tradeTime: number, monotonic: number): void {
    this.#newest = Math.max(this.#newest, tradeTime);
    if (tradeTime <= this.now(monotonic)) return;
    this.#base = tradeTime;
    this.#setAt = monotonic;
  }

  /** Unix milliseconds at the venue; -Infinity before the first trade. */
  now(monotonic: number): number {
    return this.#base + (monotonic - this.#setAt);
  }
}

// Candles of one instrument, by the time its prices came here.

import type { Candle } from '../page-protocol.ts';

/** Twenty minutes. */
const MAX_CANDLES = 240;

export class CandleSeries {
  /** How long one candle is. */
  static readonly SECONDS = 5;
  readonly #candles: { -readonly [K in keyof Candle]: Candle[K] }[] = [];

  add(price: number, now: number): void {
    const time = Math.floor(now / 1_000 / CandleSeries.SECONDS) * CandleSeries.SECONDS;
    const last = this.#candles.at(-1);
    // A clock that was set back adds to the newest candle: their times must grow.
    if (last !== undefined && time <= last.time) {
      last.high = Math.max(last.high, price);
      last.low = Math.min(last.low, price);
      last.close = price;
      return;
    }
    this.#candles.push({ time, open: price, high: price, low: price, close: price });
    if (this.#candles.length > MAX_CANDLES) this.#candles.shift();
  }

  all(): readonly Candle[] {
    return [...this.#candles];
  }
}

// Candles of one instrument, by arrival time of its prices.

import type { Candle } from '../api-protocol.ts';

/** 20 minutes. */
const MAX_CANDLES = 240;

export class CandleSeries {
  /** Length of a candle. */
  static readonly SECONDS = 5;
  readonly #candles: { -readonly [K in keyof Candle]: Candle[K] }[] = [];

  add(price: number, now: number): void {
    const time = Math.floor(now / 1_000 / CandleSeries.SECONDS) * CandleSeries.SECONDS;
    const last = this.#candles.at(-1);
    // Candle times must ascend: after the clock was set back, prices go to the newest candle.
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

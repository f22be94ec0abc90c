// Adds trades up to the values of a bar.

import type { StoredTrade } from './stored-trade.ts';

export interface BarValues {
  /** Undefined if no trade updates the price, so that there is no bar. */
  readonly prices: Prices | undefined;
  readonly volume: number;
  /** The trades that count towards the volume. */
  readonly trades: number;
  /** Undefined if the volume is 0. */
  readonly vwap: number | undefined;
}

export interface Prices {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

export class Aggregate {
  #open: number | undefined;
  #close: number | undefined;
  #high = Number.NEGATIVE_INFINITY;
  #low = Number.POSITIVE_INFINITY;
  #volume = 0;
  #turnover = 0;
  #trades = 0;

  copy(): Aggregate {
    const copy = new Aggregate();
    copy.#open = this.#open;
    copy.#close = this.#close;
    copy.#high = this.#high;
    copy.#low = this.#low;
    copy.#volume = this.#volume;
    copy.#turnover = this.#turnover;
    copy.#trades = this.#trades;
    return copy;
  }

  /** Trades must be added in the order of their times. */
  add({ price, size, excluded }: StoredTrade): void {
    if (!excluded.last) {
      this.#open ??= price;
      this.#close = price;
    }
    if (!excluded.highLow) {
      this.#high = Math.max(this.#high, price);
      this.#low = Math.min(this.#low, price);
    }
    if (excluded.volume) return;
    this.#volume += size;
    this.#turnover += price * size;
    this.#trades++;
  }

  get values(): BarValues {
    const [volume, trades] = [this.#volume, this.#trades];
    return {
      prices: this.#prices,
      volume: withoutNoise(volume),
      trades,
      vwap: volume > 0 ? withoutNoise(this.#turnover / volume) : undefined,
    };
  }

  /** If every trade is excluded from high and low, open and close are the only known prices. */
  get #prices(): Prices | undefined {
    const [open, close] = [this.#open, this.#close];
    if (open === undefined || close === undefined) return undefined;
    const hasRange = this.#high >= this.#low;
    return {
      open,
      close,
      high: hasRange ? this.#high : Math.max(open, close),
      low: hasRange ? this.#low : Math.min(open, close),
    };
  }
}

/** Sums of decimal numbers have digits that no trade has, such as 0.30000000000000004. */
function withoutNoise(value: number): number {
  return Number(value.toPrecision(SIGNIFICANT_DIGITS));
}

const SIGNIFICANT_DIGITS = 15;

// Every instrument that prices were heard of: its row on the page, its line of the last minute, its candles, and its way here.

import type { Instrument, PriceRow, Series } from '../protocol.ts';
import { CandleSeries } from './candles.ts';
import {
  isAsJudged,
  type Judgement,
  type KnownPrice,
  newlyKnown,
  type PriceMessage,
  rowOf,
  takeJudgement,
} from './known-price.ts';

/** A feed begins or ceases to deliver an instrument. */
export interface InstrumentChange {
  readonly symbol: string;
  readonly state: 'subscribed' | 'refused' | 'unknown';
  readonly feed: string;
  readonly detail?: string;
}

/** The most instruments that are shown; further ones are not taken up. */
const MAX_SYMBOLS = 5_000;
/** How much of the newest second counts in the rate that is shown. */
const RATE_WEIGHT = 0.4;

export class PriceBoard {
  readonly #known = new Map<string, KnownPrice>();
  readonly #onInstrument: (change: InstrumentChange) => void;
  /** Those whose row on the page is older than what is known. */
  #changed: KnownPrice[] = [];
  /** When the newest live price came, of whatever instrument. */
  #newestAt: number | undefined;

  constructor(onInstrument: (change: InstrumentChange) => void) {
    this.#onInstrument = onInstrument;
  }

  heard(message: PriceMessage, now: number): void {
    const { symbol, price } = message.data;
    const known = this.#known.get(symbol) ?? this.#meet(symbol);
    if (known === undefined) return;
    known.message = message;
    known.isMoved = true;
    if (message.snapshot) return;
    this.#newestAt = now;
    known.count += 1 + (message.conflated ?? 0);
    known.candles.add(price, now);
    known.hops.add(message, now);
  }

  /** A gateway has told of it: where it is not delivered, it is shown even if no price ever came. */
  named(symbol: string): void {
    if (!this.#known.has(symbol)) this.#meet(symbol);
  }

  /** What is thought of each now; to be called once before `takeChanged`. */
  judge(judgementOf: (symbol: string) => Judgement, now: number): void {
    for (const known of this.#known.values()) {
      const judgement = judgementOf(known.symbol);
      this.#tellInstrument(known, judgement);
      if (!known.isMoved && isAsJudged(known, judgement)) continue;
      takeJudgement(known, judgement, now);
      if (known.isShown) this.#changed.push(known);
    }
  }

  /** To be called about once a second: rates, and the next point of every line. @param seconds since the last call */
  second(seconds: number): void {
    for (const known of this.#known.values()) {
      const exact = known.rate + RATE_WEIGHT * (known.count / seconds - known.rate);
      const rate = exact < 0.05 ? 0 : Math.round(exact * 10) / 10;
      if (rate !== known.rate) known.isMoved = true;
      known.rate = rate;
      known.count = 0;
      if (known.message !== undefined) known.spark.add(known.message.data.price);
    }
  }

  /** How many instruments have a price, and how many of these are fresh, as last judged. */
  freshness(): { newestAt: number | undefined; fresh: number; all: number } {
    let fresh = 0;
    let all = 0;
    for (const { message, verdict } of this.#known.values()) {
      if (message === undefined) continue;
      all++;
      if (verdict === 'fresh') fresh++;
    }
    return { newestAt: this.#newestAt, fresh, all };
  }

  rows(): PriceRow[] {
    return [...this.#known.values()].filter(({ isShown }) => isShown).map(rowOf);
  }

  /** The rows that have changed since the last call. */
  takeChanged(): PriceRow[] {
    const changed = this.#changed;
    this.#changed = [];
    return changed.map(rowOf);
  }

  sparks(): Record<string, Series> {
    return Object.fromEntries([...this.#known].map(([symbol, { spark }]) => [symbol, spark.all()]));
  }

  sparkPoints(): Record<string, number> {
    const points: Record<string, number> = {};
    for (const [symbol, { message }] of this.#known)
      if (message !== undefined) points[symbol] = message.data.price;
    return points;
  }

  /** Undefined for one that nothing was heard of. */
  instrument(symbol: string): Pick<Instrument, 'candleSeconds' | 'candles' | 'hops'> | undefined {
    const known = this.#known.get(symbol);
    if (known === undefined) return undefined;
    const { candles, hops } = known;
    return { candleSeconds: CandleSeries.SECONDS, candles: candles.all(), hops: hops.summary() };
  }

  #meet(symbol: string): KnownPrice | undefined {
    if (this.#known.size >= MAX_SYMBOLS) return undefined;
    const known = newlyKnown(symbol);
    this.#known.set(symbol, known);
    return known;
  }

  /** That the broker refuses it or does not know it, and that it delivers it after all. */
  #tellInstrument(known: KnownPrice, { instrument }: Judgement): void {
    if (instrument === undefined) return;
    const { state, feed, detail } = instrument;
    const isAmiss = state === 'refused' || state === 'unknown';
    const isNews = isAmiss !== known.isToldAmiss;
    known.isToldAmiss = isAmiss;
    if (isNews && (isAmiss || state === 'subscribed'))
      this.#onInstrument({ symbol: known.symbol, state, feed, ...(detail !== undefined && { detail }) });
  }
}

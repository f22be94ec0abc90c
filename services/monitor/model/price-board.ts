// Every instrument that prices were heard of: its row on the page, its line of the last minute, its candles, and its way here.

import type { InstrumentDetails, PriceRow, Series } from '../page-protocol.ts';
import { CandleSeries } from './candles.ts';
import {
  applyLatest,
  type InstrumentRecord,
  isUpToDate,
  type LatestPrice,
  newInstrumentRecord,
  type PriceUpdate,
  rowOf,
} from './instrument-record.ts';

/** A feed begins or ceases to deliver an instrument. */
export interface DeliveryChange {
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
  readonly #records = new Map<string, InstrumentRecord>();
  readonly #onDeliveryChange: (change: DeliveryChange) => void;
  /** Those whose row on the page is older than what is known. */
  #changed: InstrumentRecord[] = [];
  /** When the newest live price came, of whatever instrument. */
  #newestAt: number | undefined;

  constructor(onInstrument: (change: DeliveryChange) => void) {
    this.#onDeliveryChange = onInstrument;
  }

  record(message: PriceUpdate, now: number): void {
    const { symbol, price } = message.data;
    const known = this.#records.get(symbol) ?? this.#add(symbol);
    if (known === undefined) return;
    known.message = message;
    known.isDirty = true;
    if (message.snapshot) return;
    this.#newestAt = now;
    known.count += 1 + (message.conflated ?? 0);
    known.candles.add(price, now);
    known.hops.add(message, now);
  }

  /** A gateway has told of it: where it is not delivered, it is shown even if no price ever came. */
  addSymbol(symbol: string): void {
    if (!this.#records.has(symbol)) this.#add(symbol);
  }

  /** What is thought of each now; to be called once before `takeChanged`. */
  updateVerdicts(judgementOf: (symbol: string) => LatestPrice, now: number): void {
    for (const known of this.#records.values()) {
      const judgement = judgementOf(known.symbol);
      this.#reportDelivery(known, judgement);
      if (!known.isDirty && isUpToDate(known, judgement)) continue;
      applyLatest(known, judgement, now);
      if (known.hasRow) this.#changed.push(known);
    }
  }

  /** To be called about once a second: rates, and the next point of every line. @param seconds since the last call */
  updateRates(seconds: number): void {
    for (const known of this.#records.values()) {
      const exact = known.rate + RATE_WEIGHT * (known.count / seconds - known.rate);
      const rate = exact < 0.05 ? 0 : Math.round(exact * 10) / 10;
      if (rate !== known.rate) known.isDirty = true;
      known.rate = rate;
      known.count = 0;
      if (known.message !== undefined) known.spark.add(known.message.data.price);
    }
  }

  /** How many instruments have a price, and how many of these are fresh, as last judged. */
  freshness(): { newestAt: number | undefined; fresh: number; all: number } {
    let fresh = 0;
    let all = 0;
    for (const { message, verdict } of this.#records.values()) {
      if (message === undefined) continue;
      all++;
      if (verdict === 'fresh') fresh++;
    }
    return { newestAt: this.#newestAt, fresh, all };
  }

  rows(): PriceRow[] {
    return [...this.#records.values()].filter(({ hasRow }) => hasRow).map(rowOf);
  }

  /** The rows that have changed since the last call. */
  takeChanged(): PriceRow[] {
    const changed = this.#changed;
    this.#changed = [];
    return changed.map(rowOf);
  }

  sparks(): Record<string, Series> {
    return Object.fromEntries([...this.#records].map(([symbol, { spark }]) => [symbol, spark.all()]));
  }

  sparkPoints(): Record<string, number> {
    const points: Record<string, number> = {};
    for (const [symbol, { message }] of this.#records)
      if (message !== undefined) points[symbol] = message.data.price;
    return points;
  }

  /** Undefined for one that nothing was heard of. */
  instrument(symbol: string): Pick<InstrumentDetails, 'candleSeconds' | 'candles' | 'hops'> | undefined {
    const known = this.#records.get(symbol);
    if (known === undefined) return undefined;
    const { candles, hops } = known;
    return { candleSeconds: CandleSeries.SECONDS, candles: candles.all(), hops: hops.summary() };
  }

  #add(symbol: string): InstrumentRecord | undefined {
    if (this.#records.size >= MAX_SYMBOLS) return undefined;
    const known = newInstrumentRecord(symbol);
    this.#records.set(symbol, known);
    return known;
  }

  /** That the broker refuses it or does not know it, and that it delivers it after all. */
  #reportDelivery(known: InstrumentRecord, { instrument }: LatestPrice): void {
    if (instrument === undefined) return;
    const { state, feed, detail } = instrument;
    const isAmiss = state === 'refused' || state === 'unknown';
    const isNews = isAmiss !== known.isReportedUndelivered;
    known.isReportedUndelivered = isAmiss;
    if (isNews && (isAmiss || state === 'subscribed'))
      this.#onDeliveryChange({ symbol: known.symbol, state, feed, ...(detail !== undefined && { detail }) });
  }
}

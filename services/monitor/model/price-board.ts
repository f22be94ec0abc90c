// All instruments: row on the page, sparkline, candles and hop latencies of each.

import type { InstrumentDetails, PriceRow, Series } from '../page-protocol.ts';
import { CandleSeries } from './candles.ts';
import {
  applyLatest,
  type InstrumentRecord,
  isUpToDate,
  newInstrumentRecord,
  type PriceUpdate,
  type PriceVerdict,
  rowOf,
} from './instrument-record.ts';

/** A feed starts or stops delivering an instrument. */
export interface DeliveryChange {
  readonly symbol: string;
  readonly state: 'subscribed' | 'refused' | 'unknown';
  readonly feed: string;
  readonly detail?: string;
}

/** Bounds memory; further instruments are ignored. */
const MAX_SYMBOLS = 5_000;
/** Weight of the newest second in the displayed rate (exponential moving average). */
const RATE_WEIGHT = 0.4;

export class PriceBoard {
  readonly #records = new Map<string, InstrumentRecord>();
  readonly #onDeliveryChange: (change: DeliveryChange) => void;
  /** Records whose row has changed since the last `takeChanged`. */
  #changed: InstrumentRecord[] = [];
  /** When the newest live price of any instrument arrived. */
  #newestAt: number | undefined;

  constructor(onDeliveryChange: (change: DeliveryChange) => void) {
    this.#onDeliveryChange = onDeliveryChange;
  }

  record(message: PriceUpdate, now: number): void {
    const { symbol, price } = message.data;
    const record = this.#records.get(symbol) ?? this.#add(symbol);
    if (record === undefined) return;
    record.message = message;
    record.isDirty = true;
    if (message.snapshot) return;
    this.#newestAt = now;
    record.count += 1 + (message.conflated ?? 0);
    record.candles.add(price, now);
    record.hops.add(message, now);
  }

  /** Adds an instrument without a price, so that an undelivered one gets a row with the reason. */
  addSymbol(symbol: string): void {
    if (!this.#records.has(symbol)) this.#add(symbol);
  }

  /** Updates every verdict. Call once before `takeChanged`. */
  updateVerdicts(latestOf: (symbol: string) => PriceVerdict, now: number): void {
    for (const record of this.#records.values()) {
      const latest = latestOf(record.symbol);
      this.#reportDelivery(record, latest);
      if (!record.isDirty && isUpToDate(record, latest)) continue;
      applyLatest(record, latest, now);
      if (record.hasRow) this.#changed.push(record);
    }
  }

  /** Updates rates and sparklines. Call about once per second. @param seconds since the previous call */
  updateRates(seconds: number): void {
    for (const record of this.#records.values()) {
      const exact = record.rate + RATE_WEIGHT * (record.count / seconds - record.rate);
      const rate = exact < 0.05 ? 0 : Math.round(exact * 10) / 10;
      if (rate !== record.rate) record.isDirty = true;
      record.rate = rate;
      record.count = 0;
      if (record.message !== undefined) record.spark.add(record.message.data.price);
    }
  }

  /** Counts the instruments with a price and the fresh ones among them, by their last verdict. */
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

  /** Returns the rows that changed since the previous call. */
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

  /** Returns undefined for an unknown instrument. */
  instrument(symbol: string): Pick<InstrumentDetails, 'candleSeconds' | 'candles' | 'hops'> | undefined {
    const record = this.#records.get(symbol);
    if (record === undefined) return undefined;
    const { candles, hops } = record;
    return { candleSeconds: CandleSeries.SECONDS, candles: candles.all(), hops: hops.summary() };
  }

  #add(symbol: string): InstrumentRecord | undefined {
    if (this.#records.size >= MAX_SYMBOLS) return undefined;
    const record = newInstrumentRecord(symbol);
    this.#records.set(symbol, record);
    return record;
  }

  /** Reports once that the broker refuses or does not know the instrument, and once that delivery resumes. */
  #reportDelivery(record: InstrumentRecord, { instrument }: PriceVerdict): void {
    if (instrument === undefined) return;
    const { state, feed, detail } = instrument;
    const isUndelivered = state === 'refused' || state === 'unknown';
    const hasChanged = isUndelivered !== record.isReportedUndelivered;
    record.isReportedUndelivered = isUndelivered;
    if (hasChanged && (isUndelivered || state === 'subscribed'))
      this.#onDeliveryChange({ symbol: record.symbol, state, feed, ...(detail !== undefined && { detail }) });
  }
}

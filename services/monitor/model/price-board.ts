// All instruments: row on the page, sparkline, candles and hop latencies of each.

import type { PriceChannel } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { InstrumentDetails } from '../api-protocol.ts';
import type { PriceRow, Series } from '../page-protocol.ts';
import { BoundedEntries } from './bounded-entries.ts';
import { CandleSeries } from './candles.ts';
import {
  applyLatest,
  applyPrice,
  type InstrumentRecord,
  instrumentId,
  isUpToDate,
  newInstrumentRecord,
  type PriceUpdate,
  type PriceVerdict,
  rowOf,
} from './instrument-record.ts';

/** The last verdict of the library on an instrument. */
export type LatestOf = (symbol: string, channel: PriceChannel) => PriceVerdict;

type InstrumentHistory = Pick<InstrumentDetails, 'candleSeconds' | 'candles' | 'hops'>;

/** A feed starts or stops delivering an instrument. */
export interface DeliveryChange {
  readonly symbol: string;
  readonly state: 'subscribed' | 'refused' | 'unknown';
  readonly feed: string;
  readonly detail?: string;
}

const MAX_SYMBOLS = 5_000;
/** Weight of the newest second in the displayed rate (exponential moving average). */
const RATE_WEIGHT = 0.4;

export class PriceBoard {
  readonly #records = new BoundedEntries<InstrumentRecord>(MAX_SYMBOLS, (_, record) => this.#onDrop(record));
  readonly #onDeliveryChange: (change: DeliveryChange) => void;
  /** Records whose row has changed since the last `takeChanged`. */
  #changed: InstrumentRecord[] = [];
  /** Rows that the page knows and that have been dropped since the last `takeRemoved`. */
  #removed: string[] = [];
  /** When the newest live price of any instrument arrived. */
  #newestAt: number | undefined;

  constructor(onDeliveryChange: (change: DeliveryChange) => void) {
    this.#onDeliveryChange = onDeliveryChange;
  }

  /** Instruments dropped because there were too many. */
  get dropped(): number {
    return this.#records.dropped;
  }

  record(message: PriceUpdate, now: number, channel: PriceChannel = CHANNELS.PRICE_DATA): void {
    const { symbol, price } = message.data;
    const record = this.#records.get(instrumentId(symbol, channel)) ?? this.#add(symbol, now, channel);
    applyPrice(record, message.data);
    if (message.snapshot) return;
    this.#newestAt = now;
    record.count += 1 + (message.conflated ?? 0);
    record.candles.add(price, now);
    record.hops.add(message, now);
  }

  /** Adds an instrument that has no price yet, so that the page can show why a feed does not deliver it. */
  addSymbol(symbol: string, now: number, channel: PriceChannel = CHANNELS.PRICE_DATA): void {
    const id = instrumentId(symbol, channel);
    if (this.#records.get(id) === undefined) this.#add(symbol, now, channel);
    else this.#records.touch(id, now);
  }

  /** Updates every verdict. Call once before `takeChanged`. */
  updateVerdicts(latestOf: LatestOf, now: number): void {
    for (const record of this.#records.values()) {
      const latest = latestOf(record.symbol, record.channel);
      this.#reportDelivery(record, latest);
      if (!record.isDirty && isUpToDate(record, latest)) continue;
      applyLatest(record, latest, now);
      if (record.hasRow) this.#changed.push(record);
    }
  }

  /** Updates rates and sparklines. Call about once per second. @param seconds since the previous call */
  updateRates(seconds: number, now: number): void {
    for (const record of this.#records.values()) {
      // Called here, once per second, instead of once per message.
      if (record.count > 0) this.#records.touch(record.id, now);
      const exact = record.rate + RATE_WEIGHT * (record.count / seconds - record.rate);
      const rate = exact < 0.05 ? 0 : Math.round(exact * 10) / 10;
      if (rate !== record.rate) record.isDirty = true;
      record.rate = rate;
      record.count = 0;
      if (record.price !== undefined) record.spark.add(record.price);
    }
  }

  /** Counts the instruments with a price and the fresh ones among them, by their last verdict. */
  freshness(): { newestAt: number | undefined; fresh: number; all: number } {
    let fresh = 0;
    let all = 0;
    for (const { price, verdict } of this.#records.values()) {
      if (price === undefined) continue;
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

  /** Symbols of the rows dropped since the previous call. */
  takeRemoved(): string[] {
    const removed = this.#removed;
    this.#removed = [];
    return removed;
  }

  sparks(): Record<string, Series> {
    return Object.fromEntries([...this.#records.values()].map(({ label, spark }) => [label, spark.all()]));
  }

  sparkPoints(): Record<string, number> {
    const points: [string, number][] = [];
    for (const { label, price } of this.#records.values())
      if (price !== undefined) points.push([label, price]);
    return Object.fromEntries(points);
  }

  /** Returns undefined for an unknown instrument. @param label the symbol as the page shows it */
  instrument(label: string): ({ symbol: string; channel: PriceChannel } & InstrumentHistory) | undefined {
    const record = this.#records.get(label) ?? this.#labelled(label);
    if (record === undefined) return undefined;
    const { symbol, channel, candles, hops } = record;
    return {
      symbol,
      channel,
      candleSeconds: CandleSeries.SECONDS,
      candles: candles.all(),
      hops: hops.summary(),
    };
  }

  #labelled(label: string): InstrumentRecord | undefined {
    for (const record of this.#records.values()) if (record.label === label) return record;
    return undefined;
  }

  #add(symbol: string, now: number, channel: PriceChannel): InstrumentRecord {
    const record = newInstrumentRecord(symbol, channel);
    this.#records.set(record.id, record, now);
    return record;
  }

  #onDrop(record: InstrumentRecord): void {
    if (record.hasRow) this.#removed.push(record.label);
  }

  /** Reports once that the broker refuses or does not know the instrument, and once that delivery resumes. */
  #reportDelivery(record: InstrumentRecord, { instrument }: PriceVerdict): void {
    if (instrument === undefined) return;
    const { state, feed, detail } = instrument;
    const isUndelivered = state === 'refused' || state === 'unknown';
    const hasChanged = isUndelivered !== record.isReportedUndelivered;
    record.isReportedUndelivered = isUndelivered;
    if (hasChanged && (isUndelivered || state === 'subscribed'))
      this.#onDeliveryChange({ symbol: record.label, state, feed, ...(detail !== undefined && { detail }) });
  }
}

// Every instrument that prices were heard of: its row on the page, its line of the last minute, its candles, and its way here.

import type { Latest, MessageOf, Verdict } from 'tickbus';
import type { CHANNELS } from 'tickbus/constants';
import type { Instrument, InstrumentState, Look, PriceRow, Series } from '../protocol.ts';
import { CandleSeries } from './candles.ts';
import { HopSamples } from './hops.ts';
import { KeyedRows } from './keyed-rows.ts';
import { SecondSeries } from './series.ts';

export type PriceMessage = MessageOf<typeof CHANNELS.PRICE_DATA>;

/** What the library thinks of the newest price of a symbol. */
export type Judgement = Pick<Latest<PriceMessage>, 'verdict' | 'reason' | 'changedAgoMs' | 'instrument'>;

/** A feed begins or ceases to deliver an instrument. */
export interface InstrumentChange {
  readonly symbol: string;
  readonly state: 'subscribed' | 'refused' | 'unknown';
  readonly feed: string;
  readonly detail?: string;
}

/** The most instruments that are shown; further ones are not taken up. */
const MAX_SYMBOLS = 5_000;
/** Points of the line, one a second. */
const SPARK_LENGTH = 60;
/** How much of the newest second counts in the rate that is shown. */
const RATE_WEIGHT = 0.4;

interface Known {
  readonly symbol: string;
  readonly spark: SecondSeries;
  readonly candles: CandleSeries;
  readonly hops: HopSamples;
  /** The newest price; undefined for an instrument that gateways told of, and that no price came of. */
  message: PriceMessage | undefined;
  /** Messages in the second that is being counted, merged ones too. */
  count: number;
  rate: number;
  /** Its row on the page is older than what is known. */
  isMoved: boolean;
  /** It was told that it is not delivered. */
  isToldAmiss: boolean;
}

export class PriceBoard {
  readonly #known = new Map<string, Known>();
  readonly #rows = new KeyedRows<PriceRow>(MAX_SYMBOLS);
  readonly #onInstrument: (change: InstrumentChange) => void;
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

  /** Brings the rows up to date with what was heard and with what is thought of it now. */
  judge(judgementOf: (symbol: string) => Judgement, now: number): void {
    for (const [symbol, known] of this.#known) {
      const judgement = judgementOf(symbol);
      const row = this.#rows.get(symbol);
      this.#tellInstrument(known, judgement);
      const isShown = known.message !== undefined || row !== undefined || amiss(judgement) !== undefined;
      if (!isShown || (!known.isMoved && row !== undefined && isSame(row, known, judgement))) continue;
      known.isMoved = false;
      this.#rows.set(symbol, rowOf(known, judgement, now));
    }
  }

  /** To be called about once a second: rates, and the next point of every line. @param seconds since the last call */
  second(seconds: number): void {
    for (const known of this.#known.values()) {
      const rate = known.rate + RATE_WEIGHT * (known.count / seconds - known.rate);
      known.rate = rate < 0.05 ? 0 : Math.round(rate * 10) / 10;
      known.count = 0;
      if (known.message !== undefined) known.spark.add(known.message.data.price);
    }
  }

  /** How many instruments have a price, and how many of these are fresh, as last judged. */
  freshness(): { newestAt: number | undefined; fresh: number; all: number } {
    let fresh = 0;
    let all = 0;
    for (const { look, price } of this.#rows.values()) {
      if (price === undefined) continue;
      all++;
      if (look === 'fresh') fresh++;
    }
    return { newestAt: this.#newestAt, fresh, all };
  }

  rows(): PriceRow[] {
    return this.#rows.all();
  }

  takeChanged(): PriceRow[] {
    return this.#rows.takeChanged();
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

  #meet(symbol: string): Known | undefined {
    if (this.#known.size >= MAX_SYMBOLS) return undefined;
    const known: Known = {
      symbol,
      spark: new SecondSeries(SPARK_LENGTH),
      candles: new CandleSeries(),
      hops: new HopSamples(),
      message: undefined,
      count: 0,
      rate: 0,
      isMoved: true,
      isToldAmiss: false,
    };
    this.#known.set(symbol, known);
    return known;
  }

  /** That the broker refuses it or does not know it, and that it delivers it after all. */
  #tellInstrument(known: Known, { instrument }: Judgement): void {
    if (instrument === undefined) return;
    const { state, feed, detail } = instrument;
    const isAmiss = state === 'refused' || state === 'unknown';
    const isNews = isAmiss !== known.isToldAmiss;
    known.isToldAmiss = isAmiss;
    if (isNews && (isAmiss || state === 'subscribed'))
      this.#onInstrument({ symbol: known.symbol, state, feed, ...(detail !== undefined && { detail }) });
  }
}

function isSame(row: PriceRow, { rate }: Known, { verdict, changedAgoMs, instrument }: Judgement): boolean {
  const isDated = row.changedAt !== undefined || changedAgoMs === Number.POSITIVE_INFINITY;
  return row.verdict === verdict && row.rate === rate && row.detail === instrument?.detail && isDated;
}

function rowOf({ symbol, message, rate }: Known, judgement: Judgement, now: number): PriceRow {
  const { verdict, changedAgoMs, instrument } = judgement;
  const { price, bid, ask, venue, source } = message?.data ?? {};
  const state = amiss(judgement);
  return {
    symbol,
    rate,
    verdict,
    look: lookOf(verdict),
    ...(price !== undefined && { price }),
    ...(bid !== undefined && { bid }),
    ...(ask !== undefined && { ask }),
    ...(venue !== undefined && { venue }),
    ...(source !== undefined && { source }),
    ...(changedAgoMs !== Number.POSITIVE_INFINITY && { changedAt: Math.round(now - changedAgoMs) }),
    ...(state !== undefined && { instrument: state }),
    ...(instrument?.detail !== undefined && { detail: instrument.detail }),
  };
}

/** Why the feed does not deliver it; undefined where it does, or nothing is known. */
function amiss({ instrument }: Judgement): InstrumentState | undefined {
  const state = instrument?.state;
  return state === 'refused' || state === 'unknown' || state === 'unsubscribed' ? state : undefined;
}

/** Struck through is what must not be traded on; amber is what should be looked at twice. */
function lookOf(verdict: Verdict): Look {
  if (verdict === 'fresh') return 'fresh';
  return verdict.endsWith('_down') ? 'stale' : 'aging';
}

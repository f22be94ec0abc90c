// Every instrument that prices were heard of: its row on the page, its line of the last minute, its candles, and its way here.

import type { MessageOf } from 'tickbus';
import type { CHANNELS } from 'tickbus/constants';
import type { Candle, Hop, Instrument, Look, PriceRow, Series } from '../protocol.ts';
import { CandleSeries } from './candles.ts';
import { HopSamples } from './hops.ts';
import { KeyedRows } from './keyed-rows.ts';
import { SecondSeries } from './series.ts';

export type PriceMessage = MessageOf<typeof CHANNELS.PRICE_DATA>;

/** What is thought of the newest price of a symbol. */
export interface Judgement {
  /** `fresh`, `quiet_market`, `feed_down`, `gateway_down`, `link_down`, `recovering` or `lagging`. */
  readonly verdict: string;
  readonly changedAgoMs: number;
}

/** The most instruments that are shown; further ones are not taken up. */
const MAX_SYMBOLS = 5_000;
/** Points of the line, one a second. */
const SPARK_LENGTH = 60;
/** How much of the newest second counts in the rate that is shown. */
const RATE_WEIGHT = 0.4;

interface Known {
  readonly spark: SecondSeries;
  readonly candles: CandleSeries;
  readonly hops: HopSamples;
  message: PriceMessage;
  changedAt: number;
  /** Messages in the second that is being counted, merged ones too. */
  count: number;
  rate: number;
  /** Its row on the page is older than what is known. */
  isMoved: boolean;
}

export class PriceBoard {
  readonly #known = new Map<string, Known>();
  readonly #rows = new KeyedRows<PriceRow>(MAX_SYMBOLS);
  /** When the newest live price came, of whatever instrument. */
  #newestAt: number | undefined;

  heard(message: PriceMessage, now: number): void {
    const { symbol, price } = message.data;
    const known = this.#known.get(symbol) ?? this.#meet(symbol, message);
    if (known === undefined) return;
    known.message = message;
    known.changedAt = message.snapshot ? (message.at ?? message.timestamp) : now;
    known.isMoved = true;
    if (message.snapshot) return;
    this.#newestAt = now;
    known.count += 1 + (message.conflated ?? 0);
    known.candles.add(price, now);
    known.hops.add(message, now);
  }

  /** Brings the rows up to date with what was heard and with what is thought of it now. */
  judge(judgementOf: (symbol: string) => Judgement, now: number): void {
    for (const [symbol, known] of this.#known) {
      const judgement = judgementOf(symbol);
      const row = this.#rows.get(symbol);
      const isSame = row?.verdict === judgement.verdict && row.rate === known.rate;
      if (!known.isMoved && isSame) continue;
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
      known.spark.add(known.message.data.price);
    }
  }

  /** How many instruments there are, and how many of them are fresh, as last judged. */
  freshness(): { newestAt: number | undefined; fresh: number; all: number } {
    let fresh = 0;
    for (const { look } of this.#rows.values()) if (look === 'fresh') fresh++;
    return { newestAt: this.#newestAt, fresh, all: this.#rows.size };
  }

  changedAt(symbol: string): number | undefined {
    return this.#known.get(symbol)?.changedAt;
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
    return Object.fromEntries([...this.#known].map(([symbol, { message }]) => [symbol, message.data.price]));
  }

  instrument(symbol: string): Instrument | undefined {
    const known = this.#known.get(symbol);
    if (known === undefined) return undefined;
    const candles: readonly Candle[] = known.candles.all();
    const hops: readonly Hop[] = known.hops.summary();
    return { symbol, candleSeconds: CandleSeries.SECONDS, candles, hops };
  }

  #meet(symbol: string, message: PriceMessage): Known | undefined {
    if (this.#known.size >= MAX_SYMBOLS) return undefined;
    const known: Known = {
      spark: new SecondSeries(SPARK_LENGTH),
      candles: new CandleSeries(),
      hops: new HopSamples(),
      message,
      changedAt: 0,
      count: 0,
      rate: 0,
      isMoved: true,
    };
    this.#known.set(symbol, known);
    return known;
  }
}

function rowOf(
  { message: { data }, rate }: Known,
  { verdict, changedAgoMs }: Judgement,
  now: number,
): PriceRow {
  const { symbol, price, bid, ask, venue, source } = data;
  return {
    symbol,
    price,
    ...(bid !== undefined && { bid }),
    ...(ask !== undefined && { ask }),
    ...(venue !== undefined && { venue }),
    ...(source !== undefined && { source }),
    changedAt: Math.round(now - changedAgoMs),
    rate,
    verdict,
    look: lookOf(verdict),
  };
}

/** Struck through is what must not be traded on; amber is what should be looked at twice. */
function lookOf(verdict: string): Look {
  if (verdict === 'fresh') return 'fresh';
  return verdict.endsWith('_down') ? 'stale' : 'aging';
}

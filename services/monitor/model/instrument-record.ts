// What is known of one instrument, and its row on the page.

import type { Latest, MessageOf, Verdict } from 'tickbus';
import type { CHANNELS } from 'tickbus/constants';
import type { InstrumentState, Look, PriceRow } from '../page-protocol.ts';
import { CandleSeries } from './candles.ts';
import { HopSamples } from './hops.ts';
import { PerSecondSeries } from './per-second-series.ts';

export type PriceUpdate = MessageOf<typeof CHANNELS.PRICE_DATA>;

/** What the library thinks of the newest price of a symbol. */
export type LatestPrice = Pick<Latest<PriceUpdate>, 'verdict' | 'reason' | 'changedAgoMs' | 'instrument'>;

/** Points of the line, one a second. */
const SPARK_LENGTH = 60;

/** Kept in place and as plain values: what is made anew for each frame, and lives until the next one, ends up as old garbage. */
export interface InstrumentRecord {
  readonly symbol: string;
  readonly spark: PerSecondSeries;
  readonly candles: CandleSeries;
  readonly hops: HopSamples;
  /** The newest price; undefined for an instrument that gateways told of, and that no price came of. */
  message: PriceUpdate | undefined;
  /** Messages in the second that is being counted, merged ones too. */
  count: number;
  rate: number;
  /** Something came or was counted since it was judged. */
  isDirty: boolean;
  /** What was thought of it when it was judged; undefined before. */
  verdict: Verdict | undefined;
  changedAt: number | undefined;
  instrument: InstrumentState | undefined;
  detail: string | undefined;
  /** It was told that it is not delivered. */
  isReportedUndelivered: boolean;
  /** It has a row on the page: a price, or once a reason why there is none. */
  hasRow: boolean;
}

export function newInstrumentRecord(symbol: string): InstrumentRecord {
  return {
    symbol,
    spark: new PerSecondSeries(SPARK_LENGTH),
    candles: new CandleSeries(),
    hops: new HopSamples(),
    message: undefined,
    count: 0,
    rate: 0,
    isDirty: true,
    verdict: undefined,
    changedAt: undefined,
    instrument: undefined,
    detail: undefined,
    isReportedUndelivered: false,
    hasRow: false,
  };
}

export function isUpToDate(known: InstrumentRecord, judgement: LatestPrice): boolean {
  const { verdict, changedAgoMs, instrument } = judgement;
  const isDated = changedAgoMs !== Number.POSITIVE_INFINITY;
  return (
    known.verdict === verdict &&
    known.instrument === undeliveredState(judgement) &&
    known.detail === instrument?.detail &&
    (known.changedAt !== undefined) === isDated
  );
}

export function applyLatest(known: InstrumentRecord, judgement: LatestPrice, now: number): void {
  const { verdict, changedAgoMs, instrument } = judgement;
  known.isDirty = false;
  known.verdict = verdict;
  known.changedAt = changedAgoMs === Number.POSITIVE_INFINITY ? undefined : Math.round(now - changedAgoMs);
  known.instrument = undeliveredState(judgement);
  known.detail = instrument?.detail;
  known.hasRow ||= known.message !== undefined || known.instrument !== undefined;
}

export function rowOf(known: InstrumentRecord): PriceRow {
  const { symbol, message, rate, verdict = 'recovering', changedAt, instrument, detail } = known;
  const { price, bid, ask, venue, source } = message?.data ?? {};
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
    ...(changedAt !== undefined && { changedAt }),
    ...(instrument !== undefined && { instrument }),
    ...(detail !== undefined && { detail }),
  };
}

/** Why the feed does not deliver it; undefined where it does, or nothing is known. */
function undeliveredState({ instrument }: LatestPrice): InstrumentState | undefined {
  const state = instrument?.state;
  return state === 'refused' || state === 'unknown' || state === 'unsubscribed' ? state : undefined;
}

/** Struck through is what must not be traded on; amber is what should be looked at twice. */
function lookOf(verdict: Verdict): Look {
  if (verdict === 'fresh') return 'fresh';
  return verdict.endsWith('_down') ? 'stale' : 'aging';
}

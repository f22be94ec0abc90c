// What is known of one instrument, and its row on the page.

import type { Latest, MessageOf, Verdict } from 'tickbus';
import type { CHANNELS } from 'tickbus/constants';
import type { InstrumentState, Look, PriceRow } from '../protocol.ts';
import { CandleSeries } from './candles.ts';
import { HopSamples } from './hops.ts';
import { SecondSeries } from './series.ts';

export type PriceMessage = MessageOf<typeof CHANNELS.PRICE_DATA>;

/** What the library thinks of the newest price of a symbol. */
export type Judgement = Pick<Latest<PriceMessage>, 'verdict' | 'reason' | 'changedAgoMs' | 'instrument'>;

/** Points of the line, one a second. */
const SPARK_LENGTH = 60;

/** Kept in place and as plain values: what is made anew for each frame, and lives until the next one, ends up as old garbage. */
export interface KnownPrice {
  readonly symbol: string;
  readonly spark: SecondSeries;
  readonly candles: CandleSeries;
  readonly hops: HopSamples;
  /** The newest price; undefined for an instrument that gateways told of, and that no price came of. */
  message: PriceMessage | undefined;
  /** Messages in the second that is being counted, merged ones too. */
  count: number;
  rate: number;
  /** Something came or was counted since it was judged. */
  isMoved: boolean;
  /** What was thought of it when it was judged; undefined before. */
  verdict: Verdict | undefined;
  changedAt: number | undefined;
  instrument: InstrumentState | undefined;
  detail: string | undefined;
  /** It was told that it is not delivered. */
  isToldAmiss: boolean;
  /** It has a row on the page: a price, or once a reason why there is none. */
  isShown: boolean;
}

export function newlyKnown(symbol: string): KnownPrice {
  return {
    symbol,
    spark: new SecondSeries(SPARK_LENGTH),
    candles: new CandleSeries(),
    hops: new HopSamples(),
    message: undefined,
    count: 0,
    rate: 0,
    isMoved: true,
    verdict: undefined,
    changedAt: undefined,
    instrument: undefined,
    detail: undefined,
    isToldAmiss: false,
    isShown: false,
  };
}

export function isAsJudged(known: KnownPrice, judgement: Judgement): boolean {
  const { verdict, changedAgoMs, instrument } = judgement;
  const isDated = changedAgoMs !== Number.POSITIVE_INFINITY;
  return (
    known.verdict === verdict &&
    known.instrument === amiss(judgement) &&
    known.detail === instrument?.detail &&
    (known.changedAt !== undefined) === isDated
  );
}

export function takeJudgement(known: KnownPrice, judgement: Judgement, now: number): void {
  const { verdict, changedAgoMs, instrument } = judgement;
  known.isMoved = false;
  known.verdict = verdict;
  known.changedAt = changedAgoMs === Number.POSITIVE_INFINITY ? undefined : Math.round(now - changedAgoMs);
  known.instrument = amiss(judgement);
  known.detail = instrument?.detail;
  known.isShown ||= known.message !== undefined || known.instrument !== undefined;
}

export function rowOf(known: KnownPrice): PriceRow {
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
function amiss({ instrument }: Judgement): InstrumentState | undefined {
  const state = instrument?.state;
  return state === 'refused' || state === 'unknown' || state === 'unsubscribed' ? state : undefined;
}

/** Struck through is what must not be traded on; amber is what should be looked at twice. */
function lookOf(verdict: Verdict): Look {
  if (verdict === 'fresh') return 'fresh';
  return verdict.endsWith('_down') ? 'stale' : 'aging';
}

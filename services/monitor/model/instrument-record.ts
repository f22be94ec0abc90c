// State of one instrument, and its row on the page.

import type { Latest, MessageOf, PriceChannel, Verdict } from 'tickbus';
import { CHANNELS, venueOf } from 'tickbus/constants';
import type { InstrumentState, Look, PriceRow } from '../page-protocol.ts';
import { CandleSeries } from './candles.ts';
import { HopSamples } from './hops.ts';
import { PerSecondSeries } from './per-second-series.ts';
import { ownCopy, rowName } from './row-text.ts';

export type PriceUpdate = MessageOf<typeof CHANNELS.PRICE_DATA>;

/** The library's verdict on the newest price of a symbol. */
export type PriceVerdict = Pick<Latest<PriceUpdate>, 'verdict' | 'reason' | 'changedAgoMs' | 'instrument'>;

/** Points of the sparkline, one per second. */
const SPARK_LENGTH = 60;

/** Mutated in place: objects that live for one frame would move to V8's old space, where collecting them costs more. */
export interface InstrumentRecord {
  /** The instrument among those of all channels. */
  readonly id: string;
  readonly symbol: string;
  readonly channel: PriceChannel;
  /** The symbol as the page shows it, with the venue of another channel than PRICE_DATA. */
  readonly label: string;
  readonly spark: PerSecondSeries;
  readonly candles: CandleSeries;
  readonly hops: HopSamples;
  /** The newest price; undefined before the first. Its message is not kept, because it can be large. */
  price: number | undefined;
  bid: number | undefined;
  ask: number | undefined;
  venue: string | undefined;
  source: PriceRow['source'] | undefined;
  /** Messages in the current second, including conflated ones. */
  count: number;
  rate: number;
  /** A price or a new rate arrived since the last `applyLatest`. */
  isDirty: boolean;
  /** This and the following five fields are as of the last `applyLatest`; undefined before the first call. */
  verdict: Verdict | undefined;
  changedAt: number | undefined;
  instrument: InstrumentState | undefined;
  limitDown: number | undefined;
  limitUp: number | undefined;
  detail: string | undefined;
  /** The detail as received, to detect a change. */
  receivedDetail: string | undefined;
  /** Whether an event has reported that the feed does not deliver the instrument. */
  isReportedUndelivered: boolean;
  /** Whether the page shows the instrument: true once there is a price, or a reason why there is no price. */
  hasRow: boolean;
}

/** The symbol on PRICE_DATA; on the channel of a venue, the channel and the symbol. */
export function instrumentId(symbol: string, { name }: PriceChannel): string {
  return CHANNELS.INSTRUMENT_STATUS.keyOf({ symbol, channel: name }) ?? symbol;
}

export function newInstrumentRecord(symbol: string, channel: PriceChannel): InstrumentRecord {
  const venue = venueOf(channel.name);
  return {
    id: ownCopy(instrumentId(symbol, channel)),
    symbol: ownCopy(symbol),
    channel,
    label: rowName(venue === undefined ? symbol : `${symbol} (${venue})`),
    spark: new PerSecondSeries(SPARK_LENGTH),
    candles: new CandleSeries(),
    hops: new HopSamples(),
    price: undefined,
    bid: undefined,
    ask: undefined,
    venue: undefined,
    source: undefined,
    count: 0,
    rate: 0,
    isDirty: true,
    verdict: undefined,
    changedAt: undefined,
    instrument: undefined,
    limitDown: undefined,
    limitUp: undefined,
    detail: undefined,
    receivedDetail: undefined,
    isReportedUndelivered: false,
    hasRow: false,
  };
}

export function applyPrice(
  record: InstrumentRecord,
  { price, bid, ask, venue, source }: PriceUpdate['data'],
): void {
  record.price = price;
  record.bid = bid;
  record.ask = ask;
  record.source = source;
  record.isDirty = true;
  // `rowName` leaves an ordinary venue unchanged, so the call is needed only when the venue changes.
  if (venue !== record.venue) record.venue = venue === undefined ? undefined : rowName(venue);
}

export function isUpToDate(record: InstrumentRecord, latest: PriceVerdict): boolean {
  const { verdict, changedAgoMs, instrument } = latest;
  const hasChangeTime = changedAgoMs !== Number.POSITIVE_INFINITY;
  return (
    record.verdict === verdict &&
    record.instrument === undeliveredState(latest) &&
    record.receivedDetail === instrument?.detail &&
    record.limitDown === instrument?.limitDown &&
    record.limitUp === instrument?.limitUp &&
    (record.changedAt !== undefined) === hasChangeTime
  );
}

export function applyLatest(record: InstrumentRecord, latest: PriceVerdict, now: number): void {
  const { verdict, changedAgoMs, instrument } = latest;
  record.isDirty = false;
  record.verdict = verdict;
  record.changedAt = changedAgoMs === Number.POSITIVE_INFINITY ? undefined : Math.round(now - changedAgoMs);
  record.instrument = undeliveredState(latest);
  record.limitDown = instrument?.limitDown;
  record.limitUp = instrument?.limitUp;
  if (instrument?.detail !== record.receivedDetail) {
    record.receivedDetail = instrument?.detail;
    record.detail = instrument?.detail === undefined ? undefined : rowName(instrument.detail);
  }
  record.hasRow ||= record.price !== undefined || record.instrument !== undefined;
}

export function rowOf(record: InstrumentRecord): PriceRow {
  const {
    label,
    price,
    bid,
    ask,
    venue,
    source,
    rate,
    verdict = 'recovering',
    changedAt,
    instrument,
    limitDown,
    limitUp,
    detail,
  } = record;
  return {
    symbol: label,
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
    ...(limitDown !== undefined && { limitDown }),
    ...(limitUp !== undefined && { limitUp }),
    ...(detail !== undefined && { detail }),
  };
}

/** Why the feed does not deliver the instrument; undefined if it does or if nothing is known. */
function undeliveredState({ instrument }: PriceVerdict): InstrumentState | undefined {
  const state = instrument?.state;
  return state === 'refused' || state === 'unknown' || state === 'unsubscribed' ? state : undefined;
}

/** A `stale` price must not be used for trading; an `aging` price needs attention. */
function lookOf(verdict: Verdict): Look {
  if (verdict === 'fresh') return 'fresh';
  return AGING.includes(verdict) ? 'aging' : 'stale';
}

const AGING: readonly Verdict[] = ['quiet_market', 'recovering', 'lagging'];

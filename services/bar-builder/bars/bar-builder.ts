// Builds bars from trades, corrections, cancels and gaps. Pure: it does no I/O and reads no clock.

import type { Bar, DeepReadonly, Trade, TradeCancel, TradeCorrection, TradeGap } from 'tickbus';
import { MAX_CHANNEL_KEYS } from 'tickbus';
import type { Calendar } from '../intervals/calendar.ts';
import { DAY_MS, type Interval } from '../intervals/interval.ts';
import type { Prices } from './aggregate.ts';
import { Coverage } from './coverage.ts';
import { storedTrade } from './stored-trade.ts';
import { type BarRecord, SymbolBars } from './symbol-bars.ts';
import type { TradeReference } from './trade-list.ts';
import { VenueClock } from './venue-clock.ts';

/** A bar without its revision. `prices` is undefined if no trade is left that updates the price. */
export interface BuiltBar extends Omit<Bar, keyof Prices | 'revision'> {
  readonly prices: Prices | undefined;
}

export interface BuilderOptions {
  readonly intervals: readonly Interval[];
  readonly calendar: Calendar;
  /** Milliseconds after its end at which a bar is built, so that trades on their way are in it. */
  readonly graceMs: number;
  /** Milliseconds for which a trade can be added, corrected and cancelled; at least `graceMs` and a minute. */
  readonly reviseMs: number;
  /** The maximum number of trades that are kept for that. Default 300,000. */
  readonly maxTrades?: number;
}

/** The bars that can no longer change: those in `finished`, and all that end before `before`. */
export interface Settled {
  readonly finished: readonly Pick<BuiltBar, 'symbol' | 'interval' | 'start'>[];
  /** Unix milliseconds at the venue. */
  readonly before: number;
}

/** When a message arrived. */
export interface Arrival {
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic: number;
  /** Server time of its publication, Unix milliseconds. */
  readonly at: number;
}

/** Why a message of TRADES, or a part of it, is in no bar. */
export interface Ignored {
  /** Trades outside the trading sessions. */
  outsideSession: number;
  /** Trades, corrections and cancels for a time that can no longer be revised: the bars stay as they are. */
  tooLate: number;
  /** Corrections and cancels of a trade that was not received, or that has another identifier, price or size. */
  unknown: number;
  /** Trades from more than a minute ahead of the server's clock. */
  ahead: number;
  /** Trades that were published before with the same identifier, time, price and size. */
  repeated: number;
  /** Trades of further instruments than 50,000. */
  leftOut: number;
}

/**
 * A bar is due once the time at the venue reaches its end and the grace. The time at the venue is that of the newest
 * trade on the channel, plus what has elapsed since; see `VenueClock`. What can be revised depends on the newest trade
 * alone, so that all builders of a channel decide alike.
 */
export class BarBuilder {
  readonly ignored: Ignored = {
    outsideSession: 0,
    tooLate: 0,
    unknown: 0,
    ahead: 0,
    repeated: 0,
    leftOut: 0,
  };
  /** Trades that were settled before their time, because `maxTrades` were kept. They can no longer be changed. */
  settledEarly = 0;
  readonly #options: BuilderOptions;
  readonly #clock = new VenueClock();
  readonly #coverage = new Coverage();
  readonly #symbols = new Map<string, SymbolBars>();
  /** The bars that are not due, by their end. */
  readonly #open = new Map<number, BarRecord[]>();
  /** The due bars to build. */
  readonly #changed = new Set<BarRecord>();
  #trades = 0;
  #order = 0;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(options: BuilderOptions) {
    this.#options = options;
  }

  /** Every trade is received from now on. @param at server time, Unix milliseconds */
  start(at: number): void {
    this.#coverage.start(at);
  }

  trade(trade: DeepReadonly<Trade>, { monotonic, at }: Arrival): void {
    const { timestamp: time, late, venue } = trade;
    if (time > at + MAX_AHEAD_MS) return this.#ignore('ahead');
    this.#clock.observe(time, monotonic);
    if (!late) this.#coverage.observe(time);
    const bars = this.#barsOf(trade.symbol);
    if (bars === undefined) return this.#ignore('leftOut');
    bars.venue ??= venue;
    const stored = storedTrade(trade, this.#order++);
    if (!this.#isOpen(bars, time)) return this.#ignore('tooLate');
    if (bars.trades.has(stored)) return this.#ignore('repeated');
    if (!this.#change(bars, time)) return this.#ignore('outsideSession');
    bars.trades.insert(stored);
    this.#trades++;
  }

  /** Replaces a trade. It keeps its place among the trades of its new time. */
  correct({ symbol, original, corrected }: DeepReadonly<TradeCorrection>): void {
    const bars = this.#symbols.get(symbol);
    const trade = bars?.trades.find(original);
    if (bars === undefined || trade === undefined) return this.#notFound(bars, original);
    if (!this.#isOpen(bars, trade.time) || !this.#isOpen(bars, corrected.timestamp))
      return this.#ignore('tooLate');
    const { id = trade.id, ...rest } = storedTrade(corrected, trade.order);
    const { price, size } = trade;
    const sent = trade.sent ?? { price, size };
    bars.trades.remove(trade);
    this.#trades--;
    this.#change(bars, trade.time);
    if (!this.#change(bars, rest.time)) return this.#ignore('outsideSession');
    bars.trades.insert({ id, ...rest, sent });
    this.#trades++;
  }

  cancel({ symbol, original }: DeepReadonly<TradeCancel>): void {
    const bars = this.#symbols.get(symbol);
    const trade = bars?.trades.find(original);
    if (bars === undefined || trade === undefined) return this.#notFound(bars, original);
    if (!this.#isOpen(bars, trade.time)) return this.#ignore('tooLate');
    bars.trades.remove(trade);
    this.#trades--;
    this.#change(bars, trade.time);
  }

  /**
   * Trades are missing: messages of TRADES after the last one, or what happened while the feed was interrupted.
   *
   * @param of the instrument whose trades after `from` are missing; undefined if it may be any
   */
  gap(monotonic: number, of?: Pick<TradeGap, 'symbol' | 'from'>): void {
    const newest = this.#clock.newest - this.#options.graceMs;
    const from = of === undefined ? newest : Math.min(newest, of.from ?? Number.NEGATIVE_INFINITY);
    this.#coverage.beginGap(from, this.#clock.now(monotonic), of?.symbol);
    const concerned = of === undefined ? [...this.#symbols.values()] : [this.#symbols.get(of.symbol)];
    for (const record of concerned.flatMap((bars) => bars?.records ?? []))
      if (record.isDue && record.end > from) this.#changed.add(record);
  }

  /** The time at the venue, Unix milliseconds; -Infinity before the first trade. */
  venueTime(monotonic: number): number {
    return this.#clock.now(monotonic);
  }

  /** The bars that are due now, or changed after they were due, in the order of their ends. */
  takeDue(monotonic: number): readonly BuiltBar[] {
    const dueUntil = this.#clock.now(monotonic) - this.#options.graceMs;
    for (const [end, records] of this.#open) {
      if (end > dueUntil) continue;
      this.#open.delete(end);
      for (const record of records) {
        record.isDue = true;
        this.#changed.add(record);
      }
    }
    if (this.#changed.size === 0) return [];
    const due = [...this.#changed].sort(byEnd);
    this.#changed.clear();
    return due.map((record) => this.#build(record));
  }

  /**
   * Settles the trades that can no longer be changed. Call it after `takeDue`.
   *
   * @returns undefined if it is too early for that
   */
  settle(monotonic: number): Settled | undefined {
    const { graceMs, reviseMs, maxTrades = DEFAULT_MAX_TRADES } = this.#options;
    const revisable = this.#revisableFrom;
    const isFull = this.#trades > maxTrades;
    if (!isFull && revisable < this.#sweptAt + reviseMs / SWEEPS_PER_WINDOW) return undefined;
    this.#sweptAt = revisable;
    this.#coverage.forgetBefore(revisable - LONGEST_BAR_MS);
    const dueUntil = this.#clock.now(monotonic) - graceMs;
    const finished = [...this.#symbols.values()].flatMap((bars) => {
      this.#settle(bars, revisable);
      if (isFull) this.settledEarly += this.#settle(bars, Math.min(bars.trades.medianTime, dueUntil));
      const { symbol } = bars;
      return bars.takeFinished().map(({ interval, start }) => ({ symbol, interval: interval.name, start }));
    });
    return { finished, before: revisable };
  }

  /** Trades before this time, at the venue, can no longer be added or changed. */
  get #revisableFrom(): number {
    return this.#clock.newest - this.#options.reviseMs;
  }

  #settle(bars: SymbolBars, until: number): number {
    const before = bars.trades.size;
    bars.settle(until);
    const settled = before - bars.trades.size;
    this.#trades -= settled;
    return settled;
  }

  #isOpen({ settledUntil }: SymbolBars, time: number): boolean {
    return time >= Math.max(this.#revisableFrom, settledUntil);
  }

  /** A trade at that time is added or removed. Returns false if no bar contains it. */
  #change(bars: SymbolBars, time: number): boolean {
    const records = bars.recordsAt(time, (record) => {
      const sameEnd = this.#open.get(record.end);
      if (sameEnd === undefined) this.#open.set(record.end, [record]);
      else sameEnd.push(record);
    });
    for (const record of records) if (record.isDue) this.#changed.add(record);
    return records.length > 0;
  }

  #build(record: BarRecord): BuiltBar {
    const { of, interval, start, end } = record;
    const { prices, volume, trades, vwap } = of.valuesOf(record);
    return {
      symbol: of.symbol,
      interval: interval.name,
      start,
      end,
      prices,
      volume,
      trades,
      ...(vwap !== undefined && { vwap }),
      complete: this.#coverage.isComplete(of.symbol, record),
      ...(of.venue !== undefined && { venue: of.venue }),
    };
  }

  #barsOf(symbol: string): SymbolBars | undefined {
    const known = this.#symbols.get(symbol);
    if (known !== undefined || this.#symbols.size >= MAX_CHANNEL_KEYS) return known;
    const { intervals, calendar } = this.#options;
    const bars = new SymbolBars(symbol, intervals, calendar);
    this.#symbols.set(symbol, bars);
    return bars;
  }

  #notFound(bars: SymbolBars | undefined, { timestamp }: TradeReference): void {
    const isSettled = bars !== undefined && timestamp !== undefined && !this.#isOpen(bars, timestamp);
    this.#ignore(isSettled ? 'tooLate' : 'unknown');
  }

  #ignore(reason: keyof Ignored): void {
    this.ignored[reason]++;
  }
}

/** Clocks of venues and servers differ by less. A wrong time further ahead would close all bars for good. */
const MAX_AHEAD_MS = 60_000;

const DEFAULT_MAX_TRADES = 300_000;
const SWEEPS_PER_WINDOW = 10;
/** A day with 25 hours. */
const LONGEST_BAR_MS = DAY_MS + 3_600_000;

function byEnd(a: BarRecord, b: BarRecord): number {
  return a.end - b.end || a.index - b.index || (a.of.symbol < b.of.symbol ? -1 : 1);
}

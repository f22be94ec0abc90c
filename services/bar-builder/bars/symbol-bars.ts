// The trades and the unfinished bars of one instrument.

import type { Calendar } from '../intervals/calendar.ts';
import type { Interval } from '../intervals/interval.ts';
import { Aggregate, type BarValues } from './aggregate.ts';
import type { StoredTrade } from './stored-trade.ts';
import { TradeList } from './trade-list.ts';

/** One bar, from its first trade until no change of a trade can revise it. */
export interface BarRecord {
  readonly of: SymbolBars;
  readonly index: number;
  readonly interval: Interval;
  readonly start: number;
  readonly end: number;
  /** Its interval has ended, so the bar is built, and built again after each change. */
  isDue: boolean;
}

/**
 * A trade is kept until `settle`: then it is added to the bars that are still open, and cannot be changed any more.
 * Settled trades are the oldest, so each length has at most one bar that consists of settled and of kept trades.
 */
export class SymbolBars {
  readonly symbol: string;
  readonly trades = new TradeList();
  /** The trading venue, as the trades name it. */
  venue: string | undefined;
  readonly #intervals: readonly Interval[];
  readonly #calendar: Calendar;
  /** By index of the interval, by start. */
  readonly #records: readonly Map<number, BarRecord>[];
  /** By index of the interval: the newest bar that has settled trades. */
  readonly #settled: ({ readonly start: number; readonly sum: Aggregate } | undefined)[] = [];
  #settledUntil = Number.NEGATIVE_INFINITY;

  constructor(symbol: string, intervals: readonly Interval[], calendar: Calendar) {
    this.symbol = symbol;
    this.#intervals = intervals;
    this.#calendar = calendar;
    this.#records = intervals.map(() => new Map());
  }

  /** Trades before this time cannot be added or changed. */
  get settledUntil(): number {
    return this.#settledUntil;
  }

  get records(): readonly BarRecord[] {
    return this.#records.flatMap((byStart) => [...byStart.values()]);
  }

  /** The bars that contain an instant; none outside the trading sessions. `onNew` is called for those that are new. */
  recordsAt(time: number, onNew: (record: BarRecord) => void): readonly BarRecord[] {
    return this.#intervals.flatMap((interval, index) => {
      const span = this.#calendar.barAt(time, interval);
      if (span === undefined) return [];
      const byStart = this.#records[index];
      const known = byStart?.get(span.start);
      if (known !== undefined) return known;
      const record = { of: this, index, interval, ...span, isDue: false };
      byStart?.set(span.start, record);
      onNew(record);
      return record;
    });
  }

  valuesOf({ index, start, end }: BarRecord): BarValues {
    const settled = this.#settled[index];
    const sum = settled?.start === start ? settled.sum.copy() : new Aggregate();
    for (const trade of this.trades.between(start, end)) sum.add(trade);
    return sum.values;
  }

  /** Settles the trades before `time`. All bars that end by then must have been built. */
  settle(time: number): void {
    this.#settledUntil = Math.max(this.#settledUntil, time);
    for (const trade of this.trades.takeBefore(time)) this.#settleTrade(trade);
  }

  /** Removes and returns the bars that no change of a trade can revise. */
  takeFinished(): readonly BarRecord[] {
    const finished = this.records.filter(({ isDue, end }) => isDue && end <= this.#settledUntil);
    for (const { index, start } of finished) this.#records[index]?.delete(start);
    return finished;
  }

  #settleTrade(trade: StoredTrade): void {
    for (const [index, interval] of this.#intervals.entries()) {
      const span = this.#calendar.barAt(trade.time, interval);
      if (span === undefined) continue;
      let settled = this.#settled[index];
      if (settled?.start !== span.start) settled = { start: span.start, sum: new Aggregate() };
      this.#settled[index] = settled;
      settled.sum.add(trade);
    }
  }
}

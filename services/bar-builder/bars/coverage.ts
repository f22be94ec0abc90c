// The times of which the builder has all trades.

import type { Span } from '../intervals/calendar.ts';

/** Times are those of the venue, Unix milliseconds. */
export class Coverage {
  /** Trades before this time were not received. */
  #begin = Number.POSITIVE_INFINITY;
  #startedAt = Number.POSITIVE_INFINITY;
  readonly #ofAll = new Gaps();
  readonly #bySymbol = new Map<string, Gaps>();
  /** Those with a gap that lasts until the next trade. */
  readonly #open = new Set<Gaps>();

  /** The builder receives every trade from now on. @param at by the server's clock */
  start(at: number): void {
    this.#startedAt = Math.min(this.#startedAt, at);
  }

  /**
   * Trades are missing from `from` up to the next trade, and at least up to `until`. Until that trade has come, the
   * end of the gap is open.
   *
   * @param symbol the only instrument of which trades are missing; undefined if it may be any
   */
  beginGap(from: number, until: number, symbol?: string): void {
    const gaps = symbol === undefined ? this.#ofAll : (this.#bySymbol.get(symbol) ?? new Gaps());
    if (symbol !== undefined) this.#bySymbol.set(symbol, gaps);
    gaps.begin(from, until);
    this.#open.add(gaps);
  }

  /** A trade of any instrument: trades are no longer missing. */
  observe(tradeTime: number): void {
    // The first trades can be older than the start: a recording, or a feed with a delay.
    if (this.#begin === Number.POSITIVE_INFINITY)
      this.#begin = tradeTime >= this.#startedAt ? this.#startedAt : tradeTime + SMALLEST;
    if (this.#open.size === 0) return;
    for (const gaps of this.#open) gaps.end(tradeTime);
    this.#open.clear();
  }

  isComplete(symbol: string, span: Span): boolean {
    if (span.start < this.#begin || this.#ofAll.overlap(span)) return false;
    return this.#bySymbol.get(symbol)?.overlap(span) !== true;
  }

  forgetBefore(time: number): void {
    this.#ofAll.forgetBefore(time);
    for (const [symbol, gaps] of this.#bySymbol)
      if (gaps.forgetBefore(time) === 0 && !this.#open.has(gaps)) this.#bySymbol.delete(symbol);
  }
}

/** The times in which trades of one or all instruments are missing. */
class Gaps {
  readonly #ended: { readonly from: number; readonly to: number }[] = [];
  /** The gap that lasts until the next trade. */
  #open: { readonly from: number; readonly reportedAt: number } | undefined;

  begin(from: number, until: number): void {
    const { from: before = from, reportedAt = until } = this.#open ?? {};
    this.#open = { from: Math.min(from, before), reportedAt: Math.max(until, reportedAt) };
  }

  end(tradeTime: number): void {
    if (this.#open === undefined) return;
    this.#ended.push({ from: this.#open.from, to: Math.max(this.#open.reportedAt, tradeTime) });
    this.#open = undefined;
    // Merges the two oldest gaps into one, which also covers the time between them.
    if (this.#ended.length > MAX_GAPS) {
      const [first, second] = this.#ended.splice(0, 2);
      if (first && second)
        this.#ended.unshift({
          from: Math.min(first.from, second.from),
          to: Math.max(first.to, second.to),
        });
    }
  }

  overlap({ start, end }: Span): boolean {
    if (this.#open !== undefined && this.#open.from < end) return true;
    return this.#ended.some(({ from, to }) => to >= start && from < end);
  }

  /** Returns the number of gaps that are kept and have ended. */
  forgetBefore(time: number): number {
    const kept = this.#ended.filter(({ to }) => to >= time);
    this.#ended.splice(0, this.#ended.length, ...kept);
    return kept.length;
  }
}

/** With 50,000 instruments that are requested again and again, their gaps take at most some 100 MB. */
const MAX_GAPS = 100;
/** More trades can have the time of the first one. */
const SMALLEST = 1e-3;

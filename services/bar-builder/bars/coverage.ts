// The times of which the builder has all trades.

import type { Span } from '../intervals/calendar.ts';

/** Times are those of the venue, Unix milliseconds. */
export class Coverage {
  /** Trades before this time were not received. */
  #begin = Number.POSITIVE_INFINITY;
  #startedAt = Number.POSITIVE_INFINITY;
  readonly #gaps: { readonly from: number; to: number }[] = [];
  /** The gap that lasts until the next trade. */
  #open: { readonly from: number; readonly reportedAt: number } | undefined;

  /** The builder receives every trade from now on. @param at by the server's clock */
  start(at: number): void {
    this.#startedAt = Math.min(this.#startedAt, at);
  }

  /**
   * Trades are missing from `from` up to the next trade, and at least up to `until`. Until that trade has come, the
   * end of the gap is open.
   */
  beginGap(from: number, until: number): void {
    const open = this.#open;
    this.#open = {
      from: Math.min(from, open?.from ?? from),
      reportedAt: Math.max(until, open?.reportedAt ?? until),
    };
  }

  observe(tradeTime: number): void {
    // The first trades can be older than the start: a recording, or a feed with a delay.
    if (this.#begin === Number.POSITIVE_INFINITY)
      this.#begin = tradeTime >= this.#startedAt ? this.#startedAt : tradeTime + SMALLEST;
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    this.#gaps.push({ from: open.from, to: Math.max(open.reportedAt, tradeTime) });
    // A longer gap is the honest form of many.
    if (this.#gaps.length > MAX_GAPS) {
      const [first, second] = this.#gaps.splice(0, 2);
      if (first && second)
        this.#gaps.unshift({ from: Math.min(first.from, second.from), to: Math.max(first.to, second.to) });
    }
  }

  isComplete({ start, end }: Span): boolean {
    if (start < this.#begin) return false;
    if (this.#open !== undefined && this.#open.from < end) return false;
    return this.#gaps.every(({ from, to }) => to < start || from >= end);
  }

  forgetBefore(time: number): void {
    const kept = this.#gaps.filter(({ to }) => to >= time);
    this.#gaps.splice(0, this.#gaps.length, ...kept);
  }
}

const MAX_GAPS = 1_000;
/** More trades can have the time of the first one. */
const SMALLEST = 1e-3;

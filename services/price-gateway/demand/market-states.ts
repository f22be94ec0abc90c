// The state of the instruments at the venue: halted, without a price, and their price bands.

import type { BandEvent } from '@tickbus/capture';
import { type Clock, type InstrumentStatus, MAX_CHANNEL_KEYS } from 'tickbus';

/** A part of the status of a subscribed instrument. */
export type MarketState = Pick<
  InstrumentStatus,
  'market' | 'detail' | 'halted_at' | 'has_price' | 'limit_down' | 'limit_up'
>;

type Band = Pick<InstrumentStatus, 'limit_down' | 'limit_up'>;

interface Halt {
  readonly detail: string | undefined;
  /**
   * When the venue halted the instrument, Unix milliseconds; estimated, and rather too late than too early, if it does
   * not say so. Undefined if a recording began since.
   */
  readonly at: number | undefined;
  /**
   * The end of the halt may have been missed: the feed, or the subscription, was interrupted since, or an end came
   * whose time is before the halt.
   */
  readonly mayHaveEnded: boolean;
}

export class MarketStates {
  readonly #halts = new Map<string, Halt>();
  readonly #unpriced = new Set<string>();
  readonly #bands = new Map<string, Band>();
  /** By symbol, when the last halt began or ended, Unix milliseconds. Halts and resumptions before are late. */
  readonly #changedAt = new Map<string, number>();
  readonly #clock: Pick<Clock, 'now'>;
  readonly #venueNow: () => number;

  /** @param venueNow the time at the venue, Unix milliseconds: estimated from other events */
  constructor(clock: Pick<Clock, 'now'>, venueNow: () => number) {
    this.#clock = clock;
    this.#venueNow = venueNow;
  }

  /** Whether the instrument is halted or has no price. */
  has(symbol: string): boolean {
    return this.#halts.has(symbol) || this.#unpriced.has(symbol);
  }

  /** A halt comes before a missing price. Empty if there is nothing to say. */
  of(symbol: string): MarketState {
    const band = this.#bands.get(symbol);
    const halt = this.#halts.get(symbol);
    if (halt !== undefined) {
      const { detail, at } = halt;
      return {
        ...band,
        market: 'halted',
        ...(detail !== undefined && { detail }),
        ...(at !== undefined && { halted_at: at }),
        ...(this.#unpriced.has(symbol) && { has_price: false }),
      };
    }
    return { ...band, ...(this.#unpriced.has(symbol) && { market: 'no_price' }) };
  }

  /** Sets or ends the price band. Returns whether that is a change. */
  setBand({ symbol, limit_down, limit_up }: BandEvent): boolean {
    const before = this.#bands.get(symbol);
    if (before?.limit_down === limit_down && before?.limit_up === limit_up) return false;
    if (limit_down === undefined && limit_up === undefined) return this.#bands.delete(symbol);
    const limits = {
      ...(limit_down !== undefined && { limit_down }),
      ...(limit_up !== undefined && { limit_up }),
    };
    this.#bands.set(symbol, limits);
    return true;
  }

  /**
   * Returns false if that is late.
   *
   * @param detail the venue's reason
   * @param at Unix milliseconds, if the venue says so
   */
  halt(symbol: string, detail?: string, at?: number): boolean {
    if (!this.#advance(symbol, at, this.#clock.now())) return false;
    this.#halts.set(symbol, { detail, at: this.#timeOf(at), mayHaveEnded: false });
    return true;
  }

  /** A halt that an earlier gateway reported. Its end may have been missed. Later news of the venue prevails. */
  inheritHalt(symbol: string, detail: string | undefined, at: number | undefined): void {
    if (this.#halts.has(symbol) || !this.#advance(symbol, at, this.#clock.now())) return;
    this.#halts.set(symbol, { detail, at: this.#timeOf(at), mayHaveEnded: true });
  }

  /**
   * Returns false if that is late: then the next trade ends the halt.
   *
   * @param at Unix milliseconds, if the venue says so
   */
  resume(symbol: string, at?: number): boolean {
    // A wrong time must not make the next halt late, also of a feed whose times are long past.
    if (!this.#advance(symbol, at, this.#venueNow() + JITTER_MS)) {
      const halt = this.#halts.get(symbol);
      if (halt !== undefined) this.#halts.set(symbol, { ...halt, mayHaveEnded: true });
      return false;
    }
    this.#halts.delete(symbol);
    return true;
  }

  /** A later trade ends a halt whose end may have been missed. Returns whether it did. @param at Unix milliseconds */
  traded(symbol: string, at: number): boolean {
    const halt = this.#halts.get(symbol);
    if (halt === undefined || !halt.mayHaveEnded || at <= (halt.at ?? Number.NEGATIVE_INFINITY)) return false;
    return this.#halts.delete(symbol);
  }

  /** Returns whether that is a change. */
  setPriced(symbol: string, isPriced: boolean): boolean {
    if (this.#unpriced.has(symbol) !== isPriced) return false;
    if (isPriced) this.#unpriced.delete(symbol);
    else this.#unpriced.add(symbol);
    return true;
  }

  /** The feed was interrupted: the ends of halts and bands may be missed. */
  interrupt(): void {
    this.#bands.clear();
    for (const [symbol, halt] of this.#halts) this.#halts.set(symbol, { ...halt, mayHaveEnded: true });
  }

  /** Times from before do not matter any more: a recording begins. The ends of halts and bands may be missed. */
  forgetTimes(): void {
    this.interrupt();
    this.#changedAt.clear();
    for (const [symbol, halt] of this.#halts) this.#halts.set(symbol, { ...halt, at: undefined });
  }

  /**
   * The subscriptions to all other instruments end. Their halts and missing prices are kept: the venue does not report
   * them again to who requests the instrument again, and Redis keeps the last price.
   */
  retain(symbols: ReadonlySet<string>): void {
    for (const [symbol, halt] of this.#halts)
      if (!symbols.has(symbol)) this.#halts.set(symbol, { ...halt, mayHaveEnded: true });
    for (const kept of [this.#halts, this.#unpriced, this.#changedAt])
      for (const symbol of kept.keys()) {
        if (kept.size <= MAX_CHANNEL_KEYS) break;
        if (!symbols.has(symbol)) kept.delete(symbol);
      }
    for (const symbol of this.#bands.keys()) if (!symbols.has(symbol)) this.#bands.delete(symbol);
  }

  /** Returns false if that is late. A time after `max` counts as `max`, so that it makes nothing else late. */
  #advance(symbol: string, at: number | undefined, max: number): boolean {
    if (at === undefined) return true;
    if (at < (this.#changedAt.get(symbol) ?? Number.NEGATIVE_INFINITY)) return false;
    this.#changedAt.set(symbol, Math.min(at, max));
    return true;
  }

  /** Of a halt. A time far in the future counts as the present: no trade would end the halt. */
  #timeOf(at: number | undefined): number {
    const now = this.#clock.now();
    if (at === undefined) return now + JITTER_MS;
    return at > now + MAX_LEAD_MS ? now : at;
  }
}

/** By how much the delay of events differs. */
const JITTER_MS = 1_000;
/** By how much the clock of the venue can be ahead. */
const MAX_LEAD_MS = 60_000;

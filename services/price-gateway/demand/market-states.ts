// The state of the instruments at the venue: halted, without a price, and their price bands.

import type { BandEvent } from '@tickbus/capture';
import { type InstrumentStatus, MAX_CHANNEL_KEYS } from 'tickbus';

/** A part of the status of a subscribed instrument. */
export type MarketState = Pick<InstrumentStatus, 'market' | 'detail' | 'limit_down' | 'limit_up'>;

type Band = Pick<InstrumentStatus, 'limit_down' | 'limit_up'>;

interface Halt {
  readonly detail: string | undefined;
  /** Whether the feed, or the subscription, was interrupted since: the end of the halt may have been missed. */
  readonly mayHaveEnded: boolean;
}

export class MarketStates {
  readonly #halts = new Map<string, Halt>();
  readonly #unpriced = new Set<string>();
  readonly #bands = new Map<string, Band>();

  /** Whether the instrument is halted or has no price. */
  has(symbol: string): boolean {
    return this.#halts.has(symbol) || this.#unpriced.has(symbol);
  }

  /** A halt comes before a missing price. Empty if there is nothing to say. */
  of(symbol: string): MarketState {
    const band = this.#bands.get(symbol);
    const halt = this.#halts.get(symbol);
    if (halt !== undefined)
      return { ...band, market: 'halted', ...(halt.detail !== undefined && { detail: halt.detail }) };
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

  /** @param detail the venue's reason */
  halt(symbol: string, detail?: string): void {
    this.#halts.set(symbol, { detail, mayHaveEnded: false });
  }

  /** A halt that an earlier gateway reported. Its end may have been missed. */
  inheritHalt(symbol: string, detail: string | undefined): void {
    this.#halts.set(symbol, { detail, mayHaveEnded: true });
  }

  /** Returns whether the instrument was halted. */
  resume(symbol: string): boolean {
    return this.#halts.delete(symbol);
  }

  /** A trade ends a halt whose end may have been missed. Returns whether it did. */
  traded(symbol: string): boolean {
    return this.#halts.get(symbol)?.mayHaveEnded === true && this.#halts.delete(symbol);
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

  /**
   * The subscriptions to all other instruments end. Their halts and missing prices are kept: the venue does not report
   * them again to who requests the instrument again, and Redis keeps the last price.
   */
  retain(symbols: ReadonlySet<string>): void {
    for (const [symbol, halt] of this.#halts)
      if (!symbols.has(symbol)) this.#halts.set(symbol, { ...halt, mayHaveEnded: true });
    for (const kept of [this.#halts, this.#unpriced])
      for (const symbol of kept.keys()) {
        if (kept.size <= MAX_CHANNEL_KEYS) break;
        if (!symbols.has(symbol)) kept.delete(symbol);
      }
    for (const symbol of this.#bands.keys()) if (!symbols.has(symbol)) this.#bands.delete(symbol);
  }
}

// The instruments that cannot be traded at their last price: halted by the venue, or without a price.

import type { InstrumentStatus } from 'tickbus';

/** A part of the status of a subscribed instrument. */
export type MarketState = Pick<InstrumentStatus, 'market' | 'detail'>;

interface Halt {
  readonly detail: string | undefined;
  /** Whether the feed was interrupted since: the end of the halt may have been missed. */
  readonly mayHaveEnded: boolean;
}

export class MarketStates {
  readonly #halts = new Map<string, Halt>();
  readonly #unpriced = new Set<string>();

  has(symbol: string): boolean {
    return this.#halts.has(symbol) || this.#unpriced.has(symbol);
  }

  /** Undefined if the instrument can be traded. A halt comes first. */
  of(symbol: string): MarketState | undefined {
    const halt = this.#halts.get(symbol);
    if (halt !== undefined)
      return { market: 'halted', ...(halt.detail === undefined ? {} : { detail: halt.detail }) };
    return this.#unpriced.has(symbol) ? { market: 'no_price' } : undefined;
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

  /** The feed was interrupted. */
  interrupt(): void {
    for (const [symbol, halt] of this.#halts) this.#halts.set(symbol, { ...halt, mayHaveEnded: true });
  }

  /** Forgets all other instruments. */
  retain(symbols: ReadonlySet<string>): void {
    for (const symbol of this.#halts.keys()) if (!symbols.has(symbol)) this.#halts.delete(symbol);
    for (const symbol of this.#unpriced) if (!symbols.has(symbol)) this.#unpriced.delete(symbol);
  }
}

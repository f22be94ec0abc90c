// What the gateway says of each instrument on INSTRUMENT_STATUS, and when there is something new to say.

import type { InstrumentStatus } from 'tickbus';
import type { Refusal } from '../feeds/feed.ts';
import { isSymbol } from './symbol.ts';

interface ReportedStatus {
  readonly state: InstrumentStatus['state'];
  readonly detail?: string;
}

/**
 * An instrument is wanted -> `subscribed` | `refused` | `unknown` -> `unsubscribed`. Nothing is said of one that the broker has not
 * answered for yet. Each connection to the broker begins anew, and so does what is said.
 */
export class InstrumentTracker {
  readonly #reported = new Map<string, ReportedStatus>();
  #requested: ReadonlySet<string> = new Set();
  #acknowledged: ReadonlySet<string> = new Set();
  /** By the broker, or because of our own limit. */
  readonly #refusals = new Map<string, ReportedStatus>();

  get requestedCount(): number {
    return this.#requested.size;
  }

  get refusedCount(): number {
    return this.#refusals.size;
  }

  /**
   * @param symbols everything that is wanted
   * @param limit how many of them to ask the broker for, the first ones
   * @returns those to ask for
   */
  setRequested(symbols: readonly string[], limit: number): readonly string[] {
    this.#requested = new Set(symbols);
    this.#refusals.clear();
    const usable = symbols.filter((symbol) => symbol === '*' || isSymbol(symbol));
    for (const symbol of symbols)
      if (!usable.includes(symbol))
        this.#refusals.set(symbol, {
          state: 'unknown',
          detail: 'This cannot be the symbol of an instrument.',
        });
    for (const symbol of usable.slice(limit)) {
      const detail = `The gateway asks for ${limit} instruments at most (SYMBOL_LIMIT), and has as many.`;
      this.#refusals.set(symbol, { state: 'refused', detail });
    }
    return usable.slice(0, limit);
  }

  /** All that the broker has acknowledged by now. */
  acknowledge(symbols: readonly string[]): void {
    this.#acknowledged = new Set(symbols);
  }

  refuse({ symbol, isUnknown, reason }: Refusal): void {
    this.#refusals.set(symbol, { state: isUnknown ? 'unknown' : 'refused', detail: reason });
  }

  /** The connection to the broker is gone, and with it all that was acknowledged. */
  disconnect(): void {
    this.#acknowledged = new Set();
    for (const [symbol, { state }] of this.#reported)
      if (state === 'subscribed') this.#reported.delete(symbol);
  }

  /** What is new since the last call. @param asked the instruments of interest where all are wanted as `*` */
  takeChanges(asked: Iterable<string>): (ReportedStatus & { readonly symbol: string })[] {
    const news: (ReportedStatus & { readonly symbol: string })[] = [];
    for (const symbol of new Set([...this.#requested, ...asked, ...this.#reported.keys()])) {
      if (symbol === '*') continue;
      const now = this.#statusOf(symbol);
      const before = this.#reported.get(symbol);
      if (now === undefined || (now.state === before?.state && now.detail === before?.detail)) continue;
      if (now.state === 'unsubscribed') this.#reported.delete(symbol);
      else this.#reported.set(symbol, now);
      news.push({ symbol, ...now });
    }
    return news;
  }

  #statusOf(symbol: string): ReportedStatus | undefined {
    if (!this.#requested.has(symbol) && !this.#requested.has('*')) return { state: 'unsubscribed' };
    const refusal = this.#refusals.get(symbol);
    if (refusal !== undefined) return refusal;
    const isServed = this.#acknowledged.has(symbol) || this.#acknowledged.has('*');
    return isServed ? { state: 'subscribed' } : undefined;
  }
}

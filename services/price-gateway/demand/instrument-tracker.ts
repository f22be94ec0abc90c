// Tracks the status of each instrument and finds the changes to publish on INSTRUMENT_STATUS.

import type { InstrumentStatus } from 'tickbus';
import type { Refusal } from '../feeds/feed.ts';
import { isSymbol } from './symbol.ts';

interface ReportedStatus {
  readonly state: InstrumentStatus['state'];
  readonly detail?: string;
}

/**
 * requested -> `subscribed` | `refused` | `unknown` -> `unsubscribed`. A requested instrument has no status until the
 * broker answers. After a disconnect, `subscribed` is reported again once the broker acknowledges the new
 * subscription.
 */
export class InstrumentTracker {
  readonly #reported = new Map<string, ReportedStatus>();
  #requested: ReadonlySet<string> = new Set();
  #acknowledged: ReadonlySet<string> = new Set();
  /** Symbols that the broker refuses, that exceed the gateway's limit, or that are malformed. */
  readonly #refusals = new Map<string, ReportedStatus>();

  get requestedCount(): number {
    return this.#requested.size;
  }

  get refusedCount(): number {
    return this.#refusals.size;
  }

  /**
   * @param symbols all requested symbols, the most important first
   * @param limit maximum number of symbols to request from the broker; further symbols are refused
   * @returns the symbols to request from the broker
   */
  setRequested(symbols: readonly string[], limit: number): readonly string[] {
    this.#requested = new Set(symbols);
    this.#refusals.clear();
    const usable = symbols.filter((symbol) => symbol === '*' || isSymbol(symbol));
    for (const symbol of symbols)
      if (!usable.includes(symbol))
        this.#refusals.set(symbol, {
          state: 'unknown',
          detail: 'This is not a valid symbol: use at most 64 characters without spaces, commas or *.',
        });
    for (const symbol of usable.slice(limit)) {
      const detail = `The gateway's limit of requested instruments is reached (SYMBOL_LIMIT=${limit}).`;
      this.#refusals.set(symbol, { state: 'refused', detail });
    }
    return usable.slice(0, limit);
  }

  /** @param symbols all symbols that the broker serves now */
  acknowledge(symbols: readonly string[]): void {
    this.#acknowledged = new Set(symbols);
  }

  refuse({ symbol, isUnknown, reason }: Refusal): void {
    this.#refusals.set(symbol, { state: isUnknown ? 'unknown' : 'refused', detail: reason });
  }

  /** The connection is lost, so no subscription is acknowledged any more. */
  disconnect(): void {
    this.#acknowledged = new Set();
    for (const [symbol, { state }] of this.#reported)
      if (state === 'subscribed') this.#reported.delete(symbol);
  }

  /**
   * The statuses that changed since the last call.
   *
   * @param botSymbols symbols that bots request; each needs a status even if the settings request `*`
   */
  takeChanges(botSymbols: Iterable<string>): (ReportedStatus & { readonly symbol: string })[] {
    const changes: (ReportedStatus & { readonly symbol: string })[] = [];
    for (const symbol of new Set([...this.#requested, ...botSymbols, ...this.#reported.keys()])) {
      if (symbol === '*') continue;
      const now = this.#statusOf(symbol);
      const before = this.#reported.get(symbol);
      if (now === undefined || (now.state === before?.state && now.detail === before?.detail)) continue;
      if (now.state === 'unsubscribed') this.#reported.delete(symbol);
      else this.#reported.set(symbol, now);
      changes.push({ symbol, ...now });
    }
    return changes;
  }

  #statusOf(symbol: string): ReportedStatus | undefined {
    if (!this.#requested.has(symbol) && !this.#requested.has('*')) return { state: 'unsubscribed' };
    const refusal = this.#refusals.get(symbol);
    if (refusal !== undefined) return refusal;
    const isServed = this.#acknowledged.has(symbol) || this.#acknowledged.has('*');
    return isServed ? { state: 'subscribed' } : undefined;
  }
}

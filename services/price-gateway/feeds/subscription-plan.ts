// Computes the next subscription change, until the broker serves the requested symbols. Pure.

import type { Refusal } from './feed.ts';

export interface SubscriptionChange {
  readonly action: 'subscribe' | 'unsubscribe';
  readonly symbols: readonly string[];
}

/** Why the broker refused a change. */
export interface SubscriptionRefusal extends Omit<Refusal, 'symbol'> {
  /** True if the symbol limit is reached, whatever the symbols are. */
  readonly isLimit: boolean;
}

/** Brokers limit the size of a message. */
const MAX_SYMBOLS_PER_CHANGE = 1_000;

/**
 * The subscriptions of one session with a broker that accepts or refuses each change as a whole. One change is pending
 * at a time. Symbols that are no longer requested are unsubscribed first, which frees space under the limit. A refusal
 * does not name the symbol at fault, so the plan retries with half of the symbols until a single symbol is refused.
 */
export class SubscriptionPlan {
  #requested: readonly string[] = [];
  #served: ReadonlySet<string> = new Set();
  readonly #refused = new Set<string>();
  #pending: SubscriptionChange | undefined;
  #maxSymbolsPerChange = MAX_SYMBOLS_PER_CHANGE;

  /** @param symbols the requested symbols, the most important first; refused ones among them are requested again */
  setRequested(symbols: readonly string[]): void {
    this.#requested = symbols;
    this.#refused.clear();
    this.#maxSymbolsPerChange = MAX_SYMBOLS_PER_CHANGE;
  }

  get pending(): SubscriptionChange | undefined {
    return this.#pending;
  }

  /** Returns the next change and makes it pending; undefined if a change is pending or nothing needs to change. */
  next(): SubscriptionChange | undefined {
    if (this.#pending !== undefined) return undefined;
    const requested = new Set(this.#requested);
    const obsolete = [...this.#served].filter((symbol) => !requested.has(symbol));
    const missing = this.#requested.filter(
      (symbol) => !this.#served.has(symbol) && !this.#refused.has(symbol),
    );
    if (obsolete.length > 0)
      this.#pending = { action: 'unsubscribe', symbols: obsolete.slice(0, MAX_SYMBOLS_PER_CHANGE) };
    else if (missing.length > 0)
      this.#pending = { action: 'subscribe', symbols: missing.slice(0, this.#maxSymbolsPerChange) };
    return this.#pending;
  }

  /**
   * The broker has acknowledged the pending change.
   *
   * @param served all symbols that the broker says it serves now
   * @returns the symbols of the change that the broker left out; they count as refused
   */
  acknowledge(served: readonly string[]): readonly string[] {
    const change = this.#pending;
    this.#pending = undefined;
    // A broker can name symbols that were never requested. Unsubscribing from them would never end.
    const known = new Set([...this.#served, ...(change?.symbols ?? [])]);
    this.#served = new Set(served.filter((symbol) => known.has(symbol)));
    const leftOut =
      change?.action === 'subscribe' ? change.symbols.filter((symbol) => !this.#served.has(symbol)) : [];
    for (const symbol of leftOut) this.#refused.add(symbol);
    return leftOut;
  }

  /**
   * The broker has refused the pending change, so the served symbols are unchanged.
   *
   * @returns the symbols that are refused now; none while the plan still searches for the symbol at fault
   */
  refuse({ isLimit }: Pick<SubscriptionRefusal, 'isLimit'>): readonly string[] {
    const symbols = this.#pending?.symbols ?? [];
    this.#pending = undefined;
    if (symbols.length > 1) {
      this.#maxSymbolsPerChange = Math.ceil(symbols.length / 2);
      return [];
    }
    this.#maxSymbolsPerChange = MAX_SYMBOLS_PER_CHANGE;
    const refused = isLimit ? this.#requested.filter((symbol) => !this.#served.has(symbol)) : symbols;
    const newlyRefused = refused.filter((symbol) => !this.#refused.has(symbol));
    for (const symbol of newlyRefused) this.#refused.add(symbol);
    return newlyRefused;
  }
}

// What to ask the broker for next, so that what it serves becomes what is wanted. Pure.

import type { Refusal } from './feed.ts';

/** One change of the subscriptions. */
export interface SubscriptionChange {
  readonly action: 'subscribe' | 'unsubscribe';
  readonly symbols: readonly string[];
}

/** Why the broker refused a change. */
export interface SubscriptionRefusal extends Omit<Refusal, 'symbol'> {
  /** The broker serves no more instruments, whichever they are. */
  readonly isLimit: boolean;
}

/**
 * The subscriptions of one session with a broker that answers every change as a whole. One change is under way at a time.
 * What is not wanted any more is given back first, so that there is room for the new. A refused change does not say which
 * of its instruments is at fault, so its first half is tried, and so on down to the one that is.
 */
export class SubscriptionPlan {
  #requested: readonly string[] = [];
  #served: ReadonlySet<string> = new Set();
  readonly #refused = new Set<string>();
  #pending: SubscriptionChange | undefined;
  #maxSymbolsPerChange = Number.POSITIVE_INFINITY;

  /** From now on these are wanted, the most important first; refused ones among them are tried again. */
  setRequested(symbols: readonly string[]): void {
    this.#requested = symbols;
    this.#refused.clear();
    this.#maxSymbolsPerChange = Number.POSITIVE_INFINITY;
  }

  get pending(): SubscriptionChange | undefined {
    return this.#pending;
  }

  /** The next change, which is under way from now on; undefined while another one is, and when there is nothing to change. */
  next(): SubscriptionChange | undefined {
    if (this.#pending !== undefined) return undefined;
    const wanted = new Set(this.#requested);
    const unwanted = [...this.#served].filter((symbol) => !wanted.has(symbol));
    const missing = this.#requested.filter(
      (symbol) => !this.#served.has(symbol) && !this.#refused.has(symbol),
    );
    if (unwanted.length > 0) this.#pending = { action: 'unsubscribe', symbols: unwanted };
    else if (missing.length > 0)
      this.#pending = { action: 'subscribe', symbols: missing.slice(0, this.#maxSymbolsPerChange) };
    return this.#pending;
  }

  /** The broker has acknowledged the change under way, and serves these now. Returns the asked-for ones that it left out. */
  acknowledge(served: readonly string[]): readonly string[] {
    const change = this.#pending;
    this.#pending = undefined;
    this.#served = new Set(served);
    const leftOut =
      change?.action === 'subscribe' ? change.symbols.filter((symbol) => !this.#served.has(symbol)) : [];
    for (const symbol of leftOut) this.#refused.add(symbol);
    return leftOut;
  }

  /** The broker has refused the change under way and serves what it served. Returns the instruments that are refused by that. */
  refuse({ isLimit }: Pick<SubscriptionRefusal, 'isLimit'>): readonly string[] {
    const asked = this.#pending?.symbols ?? [];
    this.#pending = undefined;
    if (asked.length > 1) {
      this.#maxSymbolsPerChange = Math.ceil(asked.length / 2);
      return [];
    }
    this.#maxSymbolsPerChange = Number.POSITIVE_INFINITY;
    const refused = isLimit ? this.#requested.filter((symbol) => !this.#served.has(symbol)) : asked;
    const news = refused.filter((symbol) => !this.#refused.has(symbol));
    for (const symbol of news) this.#refused.add(symbol);
    return news;
  }
}

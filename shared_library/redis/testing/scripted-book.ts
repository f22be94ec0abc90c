// The last trade and quote of each instrument, and the price that the gateway publishes for them.

import type { Price } from '../channel/schemas/price-data.ts';

/** A quote. A side that is left out is withdrawn. */
export type ScriptedQuote = Pick<Price, 'bid' | 'bid_size' | 'ask' | 'ask_size'>;

interface Entry {
  trade: { readonly price: number; readonly time: number } | undefined;
  quote: (ScriptedQuote & { readonly time: number }) | undefined;
}

/** The rules are those of docs/prices.md, for venues whose events arrive in order. */
export class ScriptedBook {
  readonly #entries = new Map<string, Entry>();

  /** @param timestamp Unix milliseconds */
  trade(symbol: string, price: number, timestamp: number, size: number | undefined): Price {
    const entry = this.#entry(symbol);
    entry.trade = { price, time: timestamp };
    return {
      ...describe(symbol, price, timestamp, entry),
      cause: 'trade',
      ...(size !== undefined && { size }),
    };
  }

  /** Undefined if there is neither a trade nor both sides of a quote. @param timestamp Unix milliseconds */
  quote(symbol: string, quote: ScriptedQuote, timestamp: number): Price | undefined {
    const entry = this.#entry(symbol);
    entry.quote = { ...quote, time: timestamp };
    const price = entry.trade?.price ?? midpointOf(quote);
    if (price === undefined) return undefined;
    return { ...describe(symbol, price, timestamp, entry), cause: 'quote' };
  }

  /** The feed was interrupted: quotes may have been withdrawn. */
  interrupt(): void {
    for (const entry of this.#entries.values()) entry.quote = undefined;
  }

  #entry(symbol: string): Entry {
    const entry = this.#entries.get(symbol) ?? { trade: undefined, quote: undefined };
    this.#entries.set(symbol, entry);
    return entry;
  }
}

function describe(symbol: string, price: number, timestamp: number, { trade, quote }: Entry): Price {
  const { time, ...sides } = quote ?? {};
  return {
    symbol,
    price,
    timestamp,
    source: trade === undefined ? 'midpoint' : 'trade',
    ...(trade !== undefined && { trade_time: trade.time }),
    ...sides,
    ...(time !== undefined && { quote_time: time }),
  };
}

function midpointOf({ bid, ask }: ScriptedQuote): number | undefined {
  return bid === undefined || ask === undefined ? undefined : (bid + ask) / 2;
}

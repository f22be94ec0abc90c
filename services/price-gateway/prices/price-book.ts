// Turns market events into the `price` payloads of PRICE_DATA. Pure: the result depends on the events alone.

import type { MarketEvent, QuoteEvent, TradeEvent } from '@tickbus/capture';
import { MAX_CHANNEL_KEYS, type Price } from 'tickbus';
import { isSymbol } from '../demand/symbol.ts';

/**
 * The reason why an event yields no price.
 *
 * - `invalid`: a value is missing, not finite or outside its range.
 * - `unpriced`: a one-sided quote before the first trade.
 * - `limit`: the book is full and does not contain the instrument.
 */
export type PriceDropReason = 'invalid' | 'unpriced' | 'limit';

type Sides = Pick<Price, 'bid' | 'bid_size' | 'ask' | 'ask_size'>;

/** The last trade and the last quote of one instrument. */
interface BookEntry {
  readonly trade: Pick<Price, 'price' | 'size'> | undefined;
  readonly sides: Sides;
}

/**
 * The prices of all instruments of a venue. `price` is that of the last trade or, until the first trade, the midpoint
 * of the quote; `source` says which. Every price contains the latest bid, ask and sizes, and its event's timestamp.
 */
export class PriceBook {
  readonly #venue: string | undefined;
  readonly #entries = new Map<string, BookEntry>();

  constructor(venue?: string) {
    this.#venue = venue;
  }

  /** The price after an event, or the reason why there is none. An invalid event changes nothing. */
  apply(event: MarketEvent): Price | PriceDropReason {
    if (!hasValidNumbers(event)) return 'invalid';
    const { symbol, timestamp } = event;
    const before = this.#entries.get(symbol) ?? EMPTY_ENTRY;
    // The symbol of an existing entry was checked when the entry was created.
    if (before === EMPTY_ENTRY) {
      if (typeof symbol !== 'string' || !isSymbol(symbol)) return 'invalid';
      if (this.#entries.size >= MAX_INSTRUMENTS) return 'limit';
    }
    const known: BookEntry =
      event.kind === 'trade'
        ? { ...before, trade: { price: event.price, size: event.size } }
        : { ...before, sides: sidesOf(event) };
    this.#entries.set(symbol, known);
    const last = known.trade ? ({ ...known.trade, source: 'trade' } as const) : midpoint(known.sides);
    if (last === undefined) return 'unpriced';
    return {
      symbol,
      timestamp,
      ...last,
      ...known.sides,
      ...(this.#venue !== undefined && { venue: this.#venue }),
    };
  }

  /** Forgets all other instruments. Their last trade would be outdated when they are requested again. */
  retain(symbols: ReadonlySet<string>): void {
    for (const symbol of this.#entries.keys()) if (!symbols.has(symbol)) this.#entries.delete(symbol);
  }
}

const EMPTY_ENTRY: BookEntry = { trade: undefined, sides: {} };
/** Maximum instruments of a book: bounds memory and the keys of PRICE_DATA. Only a request for `*` can exceed it. */
const MAX_INSTRUMENTS = MAX_CHANNEL_KEYS;

function hasValidNumbers(event: MarketEvent): boolean {
  return isQuantity(event.timestamp) && (event.kind === 'trade' ? isValidTrade(event) : isValidQuote(event));
}

function isValidTrade({ price, size }: TradeEvent): boolean {
  return Number.isFinite(price) && isQuantity(size);
}

function isValidQuote({ bid, bid_size, ask, ask_size }: QuoteEvent): boolean {
  return Number.isFinite(bid) && isQuantity(bid_size) && Number.isFinite(ask) && isQuantity(ask_size);
}

function isQuantity(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

/** Omits a side whose price and size are both 0: it has no orders. */
function sidesOf({ bid, bid_size, ask, ask_size }: QuoteEvent): Sides {
  return {
    ...((bid !== 0 || bid_size !== 0) && { bid, bid_size }),
    ...((ask !== 0 || ask_size !== 0) && { ask, ask_size }),
  };
}

function midpoint({ bid, ask }: Sides): Pick<Price, 'price' | 'source'> | undefined {
  if (bid === undefined || ask === undefined) return undefined;
  // Each side is halved before the addition, because the sum of the largest numbers would overflow.
  return { price: bid / 2 + ask / 2, source: 'midpoint' };
}

// Turns market events into the `price` payloads of PRICE_DATA.

import type { MarketEvent, QuoteEvent, TradeEvent } from '@tickbus/capture';
import { MAX_CHANNEL_KEYS, type Price } from 'tickbus';
import { isSymbol } from '../demand/symbol.ts';

/**
 * The reason why an event yields no price.
 *
 * - `invalid`: a value is missing, not finite or outside its range.
 * - `late`: the event is older than the trade or the quote that it would replace.
 * - `unpriced`: a one-sided quote before the first trade.
 * - `limit`: the book is full and does not contain the instrument.
 */
export type PriceDropReason = 'invalid' | 'late' | 'unpriced' | 'limit';

type Sides = Pick<Price, 'bid' | 'bid_size' | 'ask' | 'ask_size'>;

/** When a trade or a quote happened. */
interface Dated {
  /** The venue's time, Unix milliseconds. */
  readonly time: number;
  /**
   * Older events are late. The earlier of `time` and the clock at arrival, so that a venue whose clock runs ahead does
   * not make later events late.
   */
  readonly since: number;
}

interface LastTrade extends Dated {
  readonly price: number;
  /** Whether the feed was interrupted since: the venue may send the same trade again. */
  readonly mayRepeat: boolean;
}

interface LastQuote extends Dated {
  readonly sides: Sides;
}

/** The last trade and the last quote of one instrument. */
interface BookEntry {
  readonly trade?: LastTrade;
  readonly quote?: LastQuote;
}

/**
 * The prices of all instruments of a venue. `price` is that of the last trade or, until the first trade, the midpoint
 * of the quote; `source` says which. Every price contains the latest bid, ask and sizes, and its event's timestamp.
 *
 * Trades and quotes never go back in time: an older event changes nothing. A trade of the same time is accepted, unless
 * the feed was interrupted since the last one. A venue whose time runs ahead, even by hours for one event, does not
 * make later events late.
 */
export class PriceBook {
  readonly #venue: string | undefined;
  readonly #now: () => number;
  readonly #entries = new Map<string, BookEntry>();

  /** @param now Unix milliseconds */
  constructor(venue?: string, now: () => number = Date.now) {
    this.#venue = venue;
    this.#now = now;
  }

  /** The price after an event, or the reason why there is none. An invalid or late event changes nothing. */
  apply(event: MarketEvent): Price | PriceDropReason {
    if (!hasValidNumbers(event)) return 'invalid';
    const { symbol, timestamp } = event;
    const before = this.#entries.get(symbol) ?? EMPTY_ENTRY;
    // The symbol of an existing entry was checked when the entry was created.
    if (before === EMPTY_ENTRY) {
      if (typeof symbol !== 'string' || !isSymbol(symbol)) return 'invalid';
      if (this.#entries.size >= MAX_INSTRUMENTS) return 'limit';
    }
    if (isLate(event, before)) return 'late';
    const dated: Dated = { time: timestamp, since: Math.min(timestamp, this.#now()) };
    const known: BookEntry =
      event.kind === 'trade'
        ? { ...before, trade: { ...dated, price: event.price, mayRepeat: false } }
        : { ...before, quote: { ...dated, sides: sidesOf(event) } };
    this.#entries.set(symbol, known);
    return this.#priceOf(event, known);
  }

  /** The feed was interrupted. Venues may send their last trades again. */
  interrupt(): void {
    for (const [symbol, entry] of this.#entries)
      if (entry.trade) this.#entries.set(symbol, { ...entry, trade: { ...entry.trade, mayRepeat: true } });
  }

  /** Forgets all other instruments. Their last trade would be outdated when they are requested again. */
  retain(symbols: ReadonlySet<string>): void {
    for (const symbol of this.#entries.keys()) if (!symbols.has(symbol)) this.#entries.delete(symbol);
  }

  #priceOf(event: MarketEvent, { trade, quote }: BookEntry): Price | PriceDropReason {
    const { symbol, timestamp, kind: cause } = event;
    const sides = quote?.sides ?? {};
    const last = trade ? ({ price: trade.price, source: 'trade' } as const) : midpoint(sides);
    if (last === undefined) return 'unpriced';
    return {
      symbol,
      timestamp,
      cause,
      ...last,
      ...(trade && { trade_time: trade.time }),
      ...(event.kind === 'trade' && { size: event.size }),
      ...sides,
      ...(quote && { quote_time: quote.time }),
      ...(this.#venue !== undefined && { venue: this.#venue }),
    };
  }
}

const EMPTY_ENTRY: BookEntry = {};
/** Maximum instruments of a book: bounds memory and the keys of PRICE_DATA. Only a request for `*` can exceed it. */
const MAX_INSTRUMENTS = MAX_CHANNEL_KEYS;

function isLate({ kind, timestamp }: MarketEvent, { trade, quote }: BookEntry): boolean {
  const replaced = kind === 'trade' ? trade : quote;
  if (replaced === undefined) return false;
  const isSame = kind === 'trade' && trade?.mayRepeat === true && timestamp === replaced.time;
  return isSame || timestamp < replaced.since;
}

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

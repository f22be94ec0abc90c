// Turns trades, quotes and changes of trades into the `price` payloads of PRICE_DATA.

import type { BandEvent, MarketEvent, QuoteEvent, TradeChange } from '@tickbus/capture';
import { MAX_CHANNEL_KEYS, type Price } from 'tickbus';
import { isSymbol } from '../demand/symbol.ts';
import { LastTrades } from './last-trades.ts';
import { PriceBand } from './price-band.ts';
import { VenueLead } from './venue-lead.ts';

/**
 * The reason why an event yields no price.
 *
 * - `invalid`: a value is not plausible, or the symbol is malformed.
 * - `late`: the event is older than the trade or the quote that it would replace.
 * - `excluded`: the sale conditions exclude the trade from the last price.
 * - `unchanged`: the venue changed a trade that is not the price, so the price stays.
 * - `unmatched`: the venue changed a trade that is not among the last ones of its instrument, so it is not the price.
 * - `unpriced`: the instrument has neither a trade nor both sides of a quote.
 * - `limit`: the book is full and does not contain the instrument.
 */
export type PriceDropReason =
  | 'invalid'
  | 'late'
  | 'excluded'
  | 'unchanged'
  | 'unmatched'
  | 'unpriced'
  | 'limit';

/** A price, and when it was published, Unix milliseconds of the server. */
export interface PublishedPrice {
  readonly at: number;
  readonly data: Price;
}

type Sides = Pick<Price, 'bid' | 'bid_size' | 'ask' | 'ask_size'>;

/** Older trades and quotes are late, Unix milliseconds. */
interface Since {
  readonly trades: number;
  readonly quotes: number;
  /** The price of the last trade, whose time is `trades`; undefined without one. */
  readonly price?: number | undefined;
}

const NEVER: Since = { trades: Number.NEGATIVE_INFINITY, quotes: Number.NEGATIVE_INFINITY };

/** What is known of one instrument. */
interface BookEntry {
  readonly trades: LastTrades;
  /** Undefined also after an interruption of the feed, in which the quote may have been withdrawn. */
  quote: QuoteEvent | undefined;
  /** Older quotes are late; see `LastTrades`. */
  quotesSince: number;
  band: PriceBand | undefined;
}

/**
 * The prices of all instruments of a venue. `price` is that of the last trade or, if there is none, the midpoint of the
 * quote; `source` says which. Every price contains the latest bid, ask and sizes, and its event's timestamp. The events
 * must be valid (`isValidEvent`); only their symbols are checked here.
 *
 * Trades and quotes never go back in time: an older event changes nothing, also if the venue's clock runs ahead. One
 * event whose time is wrong, even by hours, does not make later events late. If the venue corrects or cancels the last
 * trade, the price is that of the corrected trade, or of the trade before; `trade_time` then goes back to its time.
 */
export class PriceBook {
  readonly #venue: string | undefined;
  readonly #now: () => number;
  readonly #entries = new Map<string, BookEntry>();
  /**
   * What is late for an instrument that was requested before, also by an earlier gateway: venues send the last trades
   * to a new subscriber.
   */
  readonly #former = new Map<string, Since>();
  readonly #lead = new VenueLead();

  /** @param now Unix milliseconds */
  constructor(venue?: string, now: () => number = Date.now) {
    this.#venue = venue;
    this.#now = now;
  }

  /** Takes note of what earlier gateways of the same venue have published. Older events are then late. */
  continueFrom(published: readonly PublishedPrice[]): void {
    const own = published.filter(({ data }) => data.venue === this.#venue).sort((a, b) => a.at - b.at);
    for (const { at, data } of own) this.#lead.observe(data.timestamp, at);
    const now = this.#now();
    for (const { at, data } of own) {
      const { symbol, trade_time, quote_time, price } = data;
      // A time that the server had reached is plausible, even if the clock of this gateway is behind.
      const since = (time = Number.NEGATIVE_INFINITY) => (time <= at ? time : this.#lead.limit(time, now));
      const [trades, quotes] = [since(trade_time), since(quote_time)];
      this.#former.set(symbol, { trades, quotes, ...(data.source === 'trade' && { price }) });
    }
  }

  /** The price after an event, or the reason why there is none. Apart from `unpriced`, it then changed nothing. */
  apply(event: MarketEvent | TradeChange): Price | PriceDropReason {
    if (event.kind === 'correction' || event.kind === 'cancel') return this.#change(event);
    if (event.kind === 'trade' && event.excluded_from?.includes('last')) return 'excluded';
    const entry = this.#entries.get(event.symbol) ?? this.#newEntry(event.symbol);
    if (typeof entry === 'string') return entry;
    const { timestamp } = event;
    const now = this.#now();
    const since = this.#lead.limit(timestamp, now);
    if (event.kind === 'trade') {
      if (!entry.trades.add(event, since)) return 'late';
    } else {
      if (timestamp < entry.quotesSince) return 'late';
      entry.quote = event;
      entry.quotesSince = since;
    }
    this.#lead.observe(timestamp, now);
    return this.#priceOf(event, entry);
  }

  /**
   * Sets or ends the price band of an instrument. A side of a quote outside of it is not published. Returns the price
   * if a side of the last quote is now outside, or no longer.
   */
  setBand(event: BandEvent): Price | 'unpriced' | undefined {
    const entry = this.#entries.get(event.symbol) ?? this.#newEntry(event.symbol);
    if (typeof entry === 'string') return undefined;
    const { quote, band: before } = entry;
    entry.band = PriceBand.of(event);
    if (quote === undefined || haveSameSides(sidesOf(quote, before), sidesOf(quote, entry.band)))
      return undefined;
    return this.#priceOf(event, entry);
  }

  /** A recording begins: whatever was published before, its events are not late. */
  forgetAll(): void {
    this.#entries.clear();
    this.#former.clear();
    this.#lead.forget();
  }

  /** The feed was interrupted. Venues may send their last trades again; quotes and bands may have ended. */
  interrupt(): void {
    for (const entry of this.#entries.values()) {
      entry.trades.interrupt();
      entry.quote = undefined;
      entry.band = undefined;
    }
  }

  /** Forgets all other instruments. Their last trade would be outdated when they are requested again. */
  retain(symbols: ReadonlySet<string>): void {
    for (const [symbol, { trades, quotesSince }] of this.#entries) {
      if (symbols.has(symbol)) continue;
      this.#entries.delete(symbol);
      this.#former.set(symbol, { trades: trades.since, quotes: quotesSince, price: trades.newestPrice });
    }
    for (const symbol of this.#former.keys()) {
      if (this.#former.size <= MAX_INSTRUMENTS) break;
      this.#former.delete(symbol);
    }
  }

  #newEntry(symbol: string): BookEntry | PriceDropReason {
    if (!isSymbol(symbol)) return 'invalid';
    if (this.#entries.size >= MAX_INSTRUMENTS) return 'limit';
    const since = this.#former.get(symbol) ?? NEVER;
    this.#former.delete(symbol);
    const trades = new LastTrades(since.trades, since.price);
    const entry = { trades, quote: undefined, quotesSince: since.quotes, band: undefined };
    this.#entries.set(symbol, entry);
    return entry;
  }

  #change(event: TradeChange): Price | PriceDropReason {
    const entry = this.#entries.get(event.symbol);
    if (entry === undefined) return 'unmatched';
    const before = entry.trades.last;
    if (!entry.trades.change(event)) return 'unmatched';
    return entry.trades.last === before ? 'unchanged' : this.#priceOf(event, entry);
  }

  #priceOf(event: MarketEvent | TradeChange | BandEvent, entry: BookEntry): Price | 'unpriced' {
    const { quote, band } = entry;
    const { last } = entry.trades;
    const sides = quote === undefined ? NO_SIDES : sidesOf(quote, band);
    const price = last === undefined ? midpointOf(sides) : last.price;
    if (price === undefined) return 'unpriced';
    return {
      symbol: event.symbol,
      timestamp: event.timestamp,
      cause: CAUSES[event.kind],
      price,
      source: last === undefined ? 'midpoint' : 'trade',
      ...(last !== undefined && { trade_time: last.time }),
      ...(event.kind === 'trade' && { size: event.size }),
      ...sides,
      ...(quote !== undefined && { quote_time: quote.timestamp }),
      ...(this.#venue !== undefined && { venue: this.#venue }),
    };
  }
}

/** Maximum instruments of a book: bounds memory and the keys of PRICE_DATA. Only a request for `*` can exceed it. */
const MAX_INSTRUMENTS = MAX_CHANNEL_KEYS;

const NO_SIDES: Sides = {};

/** A price band concerns the sides of the quote. */
const CAUSES = {
  trade: 'trade',
  quote: 'quote',
  band: 'quote',
  correction: 'correction',
  cancel: 'correction',
} as const;

/** Omits a side without orders, whose price and size are both 0, and a side that the price band does not permit. */
function sidesOf(
  { bid, bid_size, ask, ask_size, timestamp }: QuoteEvent,
  band: PriceBand | undefined,
): Sides {
  const hasBid = (bid !== 0 || bid_size !== 0) && (band === undefined || band.permitsBid(bid, timestamp));
  const hasAsk = (ask !== 0 || ask_size !== 0) && (band === undefined || band.permitsAsk(ask, timestamp));
  return { ...(hasBid && { bid, bid_size }), ...(hasAsk && { ask, ask_size }) };
}

/** Of the same quote. */
function haveSameSides(one: Sides, other: Sides): boolean {
  return one.bid === other.bid && one.ask === other.ask;
}

function midpointOf({ bid, ask }: Sides): number | undefined {
  if (bid === undefined || ask === undefined) return undefined;
  return (bid + ask) / 2;
}

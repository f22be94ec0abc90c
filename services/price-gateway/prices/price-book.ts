// Turns trades, quotes and changes of trades into the `price` payloads of PRICE_DATA.

import type { BandEvent, MarketEvent, QuoteEvent, TradeChange } from '@tickbus/capture';
import { type InstrumentStatus, MAX_CHANNEL_KEYS, type Price } from 'tickbus';
import { isSymbol } from '../demand/symbol.ts';
import { type FormerTrades, LastTrades } from './last-trades.ts';
import { PriceBand } from './price-band.ts';
import { VenueLead } from './venue-lead.ts';

/**
 * The reason why an event yields no price.
 *
 * - `invalid`: a value is not plausible, or the symbol is malformed.
 * - `late`: the event is older than the trade, the quote or the band that it would replace.
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

/** What is known of the quotes of an instrument, Unix milliseconds. */
interface Quotes {
  /** Older quotes are late; see `LastTrades`. */
  readonly since: number;
  /** When the last quote happened. */
  readonly time: number | undefined;
}

const NO_QUOTES: Quotes = { since: Number.NEGATIVE_INFINITY, time: undefined };

interface Former {
  readonly trades: FormerTrades;
  readonly quotes: Quotes;
}

/** What is known of one instrument. */
interface BookEntry {
  readonly trades: LastTrades;
  /** Undefined also after an interruption of the feed, in which the quote may have been withdrawn. */
  quote: QuoteEvent | undefined;
  quotes: Quotes;
  band: PriceBand | undefined;
  /** Older bands are late, Unix milliseconds. */
  bandsSince: number;
}

/**
 * The prices of all instruments of a venue. `price` is that of the last trade or, if there is none, the midpoint of the
 * quote; `source` says which. Every price contains the latest bid, ask and sizes, and its event's timestamp. The events
 * must be valid (`isValidEvent`); only their symbols are checked here.
 *
 * Trades and quotes never go back in time: an older event changes nothing, also if the venue's clock runs ahead. One
 * event whose time is wrong, even by hours, does not make later events late. If the venue corrects or cancels the last
 * trade, the price is that of the corrected trade, or of the trade before; `trade_time` then goes back to its time.
 *
 * A book that continues another one publishes the times of the last trade and quote, and which trades are void, as if
 * they were its own: the next book learns them from its prices. It does not repeat the price of the last trade, because
 * there may have been trades, and corrections, that no gateway received.
 */
export class PriceBook {
  readonly #venue: string | undefined;
  readonly #now: () => number;
  readonly #entries = new Map<string, BookEntry>();
  /**
   * What is late for an instrument that was requested before, also by an earlier gateway: venues send the last trades
   * to a new subscriber.
   */
  readonly #former = new Map<string, Former>();
  readonly #lead = new VenueLead();
  /** The earliest end of a band, Unix milliseconds. */
  #nextBandEnd = Number.POSITIVE_INFINITY;

  /** @param now Unix milliseconds */
  constructor(venue?: string, now: () => number = Date.now) {
    this.#venue = venue;
    this.#now = now;
  }

  /** The time at the venue, Unix milliseconds: that of the gateway, less the delay of the feed. */
  get venueNow(): number {
    return this.#lead.timeAt(this.#now());
  }

  /** Takes note of what earlier gateways of the same venue have published. Older events are then late. */
  continueFrom(published: readonly PublishedPrice[]): void {
    const own = published.filter(({ data }) => data.venue === this.#venue).sort((a, b) => a.at - b.at);
    for (const { at, data } of own) this.#lead.observe(data.timestamp, at);
    const now = this.#now();
    for (const { at, data } of own) {
      const { symbol, trade_time, trades_until = trade_time, quote_time } = data;
      // A time that the server had reached is plausible, even if the clock of this gateway is behind.
      const since = (time = Number.NEGATIVE_INFINITY) => (time <= at ? time : this.#lead.limit(time, now));
      this.#former.set(symbol, {
        trades: {
          since: since(trades_until),
          time: trade_time,
          price: data.source === 'trade' ? data.price : undefined,
          areVoid: data.trades_until !== undefined,
        },
        quotes: { since: since(quote_time), time: quote_time },
      });
    }
  }

  /**
   * Takes note of the statuses of an earlier gateway. If an instrument has no price although the last one that was
   * published is that of a trade, the venue has cancelled this trade, and may send it again.
   */
  inherit(statuses: Iterable<Pick<InstrumentStatus, 'symbol' | 'market' | 'has_price'>>): void {
    for (const { symbol, market, has_price = market !== 'no_price' } of statuses) {
      const former = this.#former.get(symbol);
      if (has_price || former === undefined) continue;
      const { since } = former.trades;
      this.#former.set(symbol, { ...former, trades: { since, areVoid: true } });
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
      if (timestamp < entry.quotes.since) return 'late';
      entry.quote = event;
      entry.quotes = { since, time: timestamp };
    }
    this.#lead.observe(timestamp, now);
    return this.#priceOf(event, entry);
  }

  /**
   * Sets or ends the price band of an instrument. A side of a quote outside of it is not published. Returns the price
   * if a side of the last quote is now outside, or no longer; or the reason why the band changes nothing.
   */
  setBand(event: BandEvent): Price | PriceDropReason | undefined {
    const entry = this.#entries.get(event.symbol) ?? this.#newEntry(event.symbol);
    if (typeof entry === 'string') return entry;
    if (event.timestamp < entry.bandsSince) return 'late';
    const { quote, band: before } = entry;
    entry.band = PriceBand.of(event);
    const now = this.#now();
    entry.bandsSince = this.#lead.limit(event.timestamp, now);
    if (entry.band !== undefined) {
      this.#lead.observe(event.timestamp, now);
      this.#nextBandEnd = Math.min(this.#nextBandEnd, entry.band.until);
    }
    if (quote === undefined || haveSameSides(sidesOf(quote, before), sidesOf(quote, entry.band)))
      return undefined;
    return this.#priceOf(event, entry);
  }

  /** The ends of bands that have ended by `time`, Unix milliseconds of the venue. Pass each of them to `setBand`. */
  bandsEndedBy(time: number): readonly BandEvent[] {
    if (time < this.#nextBandEnd) return [];
    this.#nextBandEnd = Number.POSITIVE_INFINITY;
    const ended: BandEvent[] = [];
    for (const [symbol, { band }] of this.#entries) {
      if (band === undefined) continue;
      if (band.until <= time) ended.push({ kind: 'band', symbol, timestamp: band.until });
      else this.#nextBandEnd = Math.min(this.#nextBandEnd, band.until);
    }
    return ended;
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
    for (const [symbol, { trades, quotes }] of this.#entries) {
      if (symbols.has(symbol)) continue;
      this.#entries.delete(symbol);
      this.#former.set(symbol, { trades: trades.known, quotes });
    }
    for (const symbol of this.#former.keys()) {
      if (this.#former.size <= MAX_INSTRUMENTS) break;
      this.#former.delete(symbol);
    }
  }

  #newEntry(symbol: string): BookEntry | PriceDropReason {
    if (!isSymbol(symbol)) return 'invalid';
    if (this.#entries.size >= MAX_INSTRUMENTS) return 'limit';
    const { trades, quotes = NO_QUOTES } = this.#former.get(symbol) ?? {};
    this.#former.delete(symbol);
    const entry: BookEntry = {
      trades: new LastTrades(trades),
      quote: undefined,
      quotes,
      band: undefined,
      bandsSince: Number.NEGATIVE_INFINITY,
    };
    this.#entries.set(symbol, entry);
    return entry;
  }

  #change(event: TradeChange): Price | PriceDropReason {
    const { symbol } = event;
    const isKnown = this.#entries.has(symbol) || this.#former.has(symbol);
    const entry = isKnown ? (this.#entries.get(symbol) ?? this.#newEntry(symbol)) : 'unmatched';
    if (typeof entry === 'string') return entry;
    const result = entry.trades.change(event);
    return result === 'price' ? this.#priceOf(event, entry) : result;
  }

  #priceOf(event: MarketEvent | TradeChange | BandEvent, entry: BookEntry): Price | 'unpriced' {
    const { quote, quotes, band } = entry;
    const { last, time, voidUntil } = entry.trades;
    const sides = quote === undefined ? NO_SIDES : sidesOf(quote, band);
    const price = last === undefined ? midpointOf(sides) : last.price;
    if (price === undefined) return 'unpriced';
    return {
      symbol: event.symbol,
      timestamp: event.timestamp,
      cause: CAUSES[event.kind],
      price,
      source: last === undefined ? 'midpoint' : 'trade',
      ...(time !== undefined && { trade_time: time }),
      ...(voidUntil !== undefined && { trades_until: voidUntil }),
      ...(event.kind === 'trade' && { size: event.size }),
      ...sides,
      ...(quotes.time !== undefined && { quote_time: quotes.time }),
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

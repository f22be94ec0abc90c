// Market events without a venue's accent: a trade or a quote, every number finite.

/** One execution. */
export interface TradeEvent {
  readonly kind: 'trade';
  /** The instrument as the venue names it, e.g. `AAPL`, `BAND-GBP`, `SUSHIUSDT`. */
  readonly symbol: string;
  readonly price: number;
  readonly size: number;
  /** The venue's own time, Unix milliseconds. */
  readonly timestamp: number;
}

/** The best bid and ask. */
export interface QuoteEvent {
  readonly kind: 'quote';
  /** The instrument as the venue names it. */
  readonly symbol: string;
  readonly bid: number;
  /** 0 when the venue does not tell it. */
  readonly bid_size: number;
  readonly ask: number;
  /** 0 when the venue does not tell it. */
  readonly ask_size: number;
  /** The venue's own time, Unix milliseconds. */
  readonly timestamp: number;
}

/** What a venue frame says about the market. */
export type MarketEvent = TradeEvent | QuoteEvent;

/** Fields as they stand in a venue's frame: nothing is known of their types yet. */
type Untrusted<Event> = { readonly [Field in keyof Omit<Event, 'kind'>]: unknown };

/** The trade in `fields`, or undefined when one of them is missing or not a finite number. */
export function toTrade(fields: Untrusted<TradeEvent>): TradeEvent | undefined {
  if (typeof fields.symbol !== 'string') return undefined;
  const price = toNumber(fields.price);
  const size = toNumber(fields.size);
  const timestamp = toNumber(fields.timestamp);
  if (!allFinite(price, size, timestamp)) return undefined;
  return { kind: 'trade', symbol: fields.symbol, price, size, timestamp };
}

/** The quote in `fields`, or undefined when one of them is missing or not a finite number. */
export function toQuote(fields: Untrusted<QuoteEvent>): QuoteEvent | undefined {
  if (typeof fields.symbol !== 'string') return undefined;
  const bid = toNumber(fields.bid);
  const bid_size = toNumber(fields.bid_size);
  const ask = toNumber(fields.ask);
  const ask_size = toNumber(fields.ask_size);
  const timestamp = toNumber(fields.timestamp);
  if (!allFinite(bid, bid_size, ask, ask_size, timestamp)) return undefined;
  return { kind: 'quote', symbol: fields.symbol, bid, bid_size, ask, ask_size, timestamp };
}

/** Venues write numbers as JSON numbers or as decimal strings; whatever else becomes NaN. */
function toNumber(value: unknown): number {
  if (typeof value === 'string' && value.trim() !== '') return Number(value);
  return typeof value === 'number' ? value : Number.NaN;
}

function allFinite(...values: readonly number[]): boolean {
  return values.every(Number.isFinite);
}

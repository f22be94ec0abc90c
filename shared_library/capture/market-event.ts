// Market events in a common format for all venues: trades and quotes with finite numbers.

/** One execution. */
export interface TradeEvent {
  readonly kind: 'trade';
  /** The venue's name of the instrument, e.g. `AAPL`, `BAND-GBP`, `SUSHIUSDT`. */
  readonly symbol: string;
  readonly price: number;
  readonly size: number;
  /** The venue's own time, Unix milliseconds. */
  readonly timestamp: number;
}

/** The best bid and ask. */
export interface QuoteEvent {
  readonly kind: 'quote';
  /** The venue's name of the instrument. */
  readonly symbol: string;
  readonly bid: number;
  /** 0 if the venue does not send it. */
  readonly bid_size: number;
  readonly ask: number;
  /** 0 if the venue does not send it. */
  readonly ask_size: number;
  /** The venue's own time, Unix milliseconds. */
  readonly timestamp: number;
}

export type MarketEvent = TradeEvent | QuoteEvent;

/** A decoded JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Fields of a venue's frame before their types are checked. */
type Untrusted<Event> = { readonly [Field in keyof Omit<Event, 'kind'>]: unknown };

/** The trade in `fields`; undefined if a field is missing or a number is not finite. */
export function toTrade(fields: Untrusted<TradeEvent>): TradeEvent | undefined {
  if (typeof fields.symbol !== 'string') return undefined;
  const price = toNumber(fields.price);
  const size = toNumber(fields.size);
  const timestamp = toNumber(fields.timestamp);
  if (!allFinite(price, size, timestamp)) return undefined;
  return { kind: 'trade', symbol: fields.symbol, price, size, timestamp };
}

/** The quote in `fields`; undefined if a field is missing or a number is not finite. */
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

/** Venues write numbers as JSON numbers or as decimal strings; any other value becomes NaN. */
function toNumber(value: unknown): number {
  if (typeof value === 'string' && value.trim() !== '') return Number(value);
  return typeof value === 'number' ? value : Number.NaN;
}

function allFinite(...values: readonly number[]): boolean {
  return values.every(Number.isFinite);
}

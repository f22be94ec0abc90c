// What venues report, in a common format: trades, quotes, changes of trades, halts and price bands.

/** What a trade must not change, by the rules of its venue. */
export type Exclusion = 'last' | 'high_low' | 'volume';

/** What venues may say about an execution, besides its price and size. */
export interface TradeDetails {
  /** The venue's identifier of the trade, as text. Venues do not reuse it for an instrument within a day. */
  readonly trade_id?: string;
  /** The venue's codes of the sale conditions. */
  readonly conditions?: readonly string[];
  /** What the conditions exclude the trade from. Without it, the trade updates everything. */
  readonly excluded_from?: readonly Exclusion[];
  /** The side of the order that took liquidity. */
  readonly taker_side?: 'buy' | 'sell';
}

/** One execution. */
export interface TradeEvent extends TradeDetails {
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

/** The trade that a venue changes: the identifier, or else price, size and time identify it. */
export interface TradeReference {
  readonly trade_id?: string;
  readonly price: number;
  readonly size: number;
  /** When the trade happened, Unix milliseconds, if the venue repeats it. */
  readonly timestamp?: number;
}

/** The venue has replaced a trade. */
export interface CorrectionEvent {
  readonly kind: 'correction';
  readonly symbol: string;
  readonly original: TradeReference;
  /** The trade as it should have been; without a timestamp, that of the original. */
  readonly corrected: TradeReference & TradeDetails;
  /** When the venue corrected it, Unix milliseconds. */
  readonly timestamp: number;
}

/** The venue has cancelled a trade: it never happened. */
export interface CancelEvent {
  readonly kind: 'cancel';
  readonly symbol: string;
  readonly original: TradeReference;
  /** `error`: the trade was reported by mistake. */
  readonly reason?: 'cancel' | 'error';
  /** When the venue cancelled it, Unix milliseconds. */
  readonly timestamp: number;
}

/** The venue has halted trading in an instrument. */
interface HaltEvent {
  readonly kind: 'halt';
  readonly symbol: string;
  /** The venue's reason, such as its code. */
  readonly detail?: string;
  /** When it was halted, Unix milliseconds, if the venue says so. */
  readonly timestamp?: number;
}

/** The venue has resumed trading in an instrument. */
interface ResumeEvent {
  readonly kind: 'resume';
  readonly symbol: string;
  /** When it was resumed, Unix milliseconds, if the venue says so. */
  readonly timestamp?: number;
}

/** A change of whether an instrument can be traded. */
export type TradingEvent = HaltEvent | ResumeEvent;

/** The venue has set the price band of an instrument: bids below it and offers above it cannot be executed. */
export interface BandEvent {
  readonly kind: 'band';
  readonly symbol: string;
  /** The lowest and the highest price of an execution. Without them, no band is in force. */
  readonly limit_down?: number;
  readonly limit_up?: number;
  /** When it came into force, Unix milliseconds. */
  readonly timestamp: number;
}

export type MarketEvent = TradeEvent | QuoteEvent;

/** A change of a trade that was reported before. */
export type TradeChange = CorrectionEvent | CancelEvent;

/** Everything that a venue reports about an instrument. */
export type VenueEvent = MarketEvent | TradeChange | TradingEvent | BandEvent;

/** A decoded JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

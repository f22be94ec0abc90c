// The exports of a user's mapping module, which translates a venue's frames for the `websocket` and `capture` feeds.

import type { CancelEvent, CorrectionEvent, QuoteEvent, TradeEvent } from '@tickbus/capture';

/** A number, or decimal digits as text, such as `"29110.19"`. Many venues send prices and sizes as text. */
export type VenueNumber = number | string;

/** An event as a mapping returns it: every number can be text, and an identifier can be a whole number. */
type Mapped<Event> = {
  readonly [Field in keyof Event]: Field extends 'trade_id'
    ? Event[Field] | number
    : Event[Field] extends number | undefined
      ? Event[Field] | VenueNumber
      : Event[Field] extends { readonly price: number }
        ? Mapped<Event[Field]>
        : Event[Field];
};

/**
 * One execution. `timestamp` is in Unix milliseconds, from the year 2000 to 2100. Other numbers are finite and at most
 * 2^53 - 1; sizes are not negative, and 0 if the venue does not send them. `symbol` neither begins nor ends with a
 * blank. `trade_id` has 1 to 128 characters; `conditions` are at most 16 texts of 1 to 32 characters. An item that
 * violates this is dropped, and the gateway logs the field and its value.
 */
export type MappedTrade = Mapped<TradeEvent>;

/**
 * The best bid and ask, under the rules of `MappedTrade`. A side without orders has price 0 and size 0, or the price
 * null; a size of null is unknown. A side that is undefined is invalid, because a misspelt field of the venue is, too.
 */
export type MappedQuote = {
  readonly [Field in keyof Mapped<QuoteEvent>]: Field extends 'bid' | 'bid_size' | 'ask' | 'ask_size'
    ? VenueNumber | null
    : Mapped<QuoteEvent>[Field];
};

/** The venue has replaced a trade: `original` is as it reported the trade, `corrected` as it should have been. */
export type MappedCorrection = Mapped<CorrectionEvent>;

/** The venue has cancelled a trade. */
export type MappedCancel = Mapped<CancelEvent>;

/** The venue has halted trading in an instrument, or resumed it. */
export interface MappedStatus {
  readonly kind: 'status';
  readonly symbol: string;
  readonly market: 'halted' | 'trading';
  /** The venue's reason, such as its code; at most 1,000 characters. */
  readonly detail?: string;
  /** When it happened, Unix milliseconds. With it, a status that is older than the last one changes nothing. */
  readonly timestamp?: number;
}

/** One item of information in a frame. */
export type FrameItem =
  | MappedTrade
  | MappedQuote
  | MappedCorrection
  | MappedCancel
  | MappedStatus
  /** The venue is alive. Keeps the connection open, but confirms no price. */
  | { readonly kind: 'heartbeat' }
  /** The mapping knows this frame, and it has nothing that the gateway needs, such as an order book. */
  | { readonly kind: 'ignore' }
  /**
   * Sends a message on this connection, for example the answer to a ping, or a request after a gap. If a connection
   * sends more than 100 of them, or more than 1 MiB, within 10 s, the feed reconnects.
   */
  | { readonly kind: 'send'; readonly message: VenueMessage }
  /** All symbols whose subscription the venue has acknowledged. Only for a mapping with `acknowledges: true`. */
  | { readonly kind: 'subscribed'; readonly symbols: readonly string[] }
  /** The venue does not serve this instrument; other instruments are not affected. */
  | {
      readonly kind: 'refused';
      readonly symbol: string;
      readonly code?: number | string;
      /** The instrument does not exist, so a retry is useless. Default false. */
      readonly isUnknown?: boolean;
      readonly reason: string;
    }
  /** The connection is unusable. The feed reconnects, unless `retryable` is false: then the operator must act first. */
  | {
      readonly kind: 'error';
      readonly code?: number | string;
      readonly reason: string;
      readonly retryable?: boolean;
      /** When the venue permits the next connection, milliseconds from now; at most an hour. Default: the back-off. */
      readonly retryAfterMs?: number;
    };

/** A message to the venue: an object is sent as JSON, a string unchanged. */
export type VenueMessage = object | string;

/**
 * What a mapping can use to decode a frame. Each function throws an error if the content is corrupt or larger than
 * 1 MiB. The feed reconnects after a frame that is too large, because it can be a decompression bomb.
 */
export interface FrameTools {
  /** Whether the venue sent a binary frame; false for a text frame. */
  readonly isBinary: boolean;
  /** Decompresses gzip. */
  gunzip(bytes: Uint8Array): Uint8Array;
  /** Decompresses deflate with a zlib header. */
  inflate(bytes: Uint8Array): Uint8Array;
  /** Decompresses deflate without a header. */
  inflateRaw(bytes: Uint8Array): Uint8Array;
}

/**
 * The exports of a mapping module. Only `read` is required. All functions are synchronous. If `read` or `decode`
 * throws, the frame is counted as invalid and dropped. If another function throws, the feed goes down permanently.
 */
export interface Mapping {
  /**
   * Parses one decoded frame into one item, or several in order. Called for every frame. A frame without an item
   * counts as not understood, so return `ignore` for frames that mean nothing. If too many frames are not understood,
   * the feed is `degraded`, or an instrument `refused`: otherwise a mapping that has become wrong would look like a
   * quiet market.
   */
  read(frame: unknown): FrameItem | readonly FrameItem[] | undefined;
  /**
   * Decodes the bytes of one frame. Default: UTF-8 text that must be JSON. Bytes and strings that it returns are text
   * of at most 1 MiB: if the text is JSON, `read` gets the parsed value, otherwise (as with `pong`) the text itself.
   * `read` gets any other value unchanged. If it returns `undefined`, the frame counts as not understood.
   */
  decode?(bytes: Uint8Array, tools: FrameTools): unknown;
  /** The messages that subscribe to instruments. Omit it if the venue sends prices without a subscription. */
  subscribe?(symbols: readonly string[]): VenueMessage | readonly VenueMessage[];
  /** The messages that unsubscribe from instruments. Without this function, the feed only drops their prices. */
  unsubscribe?(symbols: readonly string[]): VenueMessage | readonly VenueMessage[];
  /** The first messages on every connection, such as a login. Also the place to reset the state of a connection. */
  open?(): VenueMessage | readonly VenueMessage[];
  /** The message to send every WEBSOCKET_PING_MS instead of a WebSocket ping, for a venue with its own ping message. */
  ping?(): VenueMessage;
  /** Whether `read` returns `subscribed` items. Default false: an instrument counts as subscribed once requested. */
  readonly acknowledges?: boolean;
  /** The `venue` field of each price, such as `coinbase`. */
  readonly venue?: string;
}

// The exports of a user's mapping module, which translates a venue's JSON for the `websocket` and `capture` feeds.

import type { QuoteEvent, TradeEvent } from '@tickbus/capture';

/** One item of information in a frame. */
export type FrameItem =
  /** Timestamps are Unix milliseconds, numbers are finite. A size that the venue does not send is 0. */
  | TradeEvent
  | QuoteEvent
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
    };

/** A message to the venue: an object is sent as JSON, a string unchanged. */
export type VenueMessage = object | string;

/**
 * The exports of a mapping module. Only `read` is required. If `read` throws, the frame is counted as invalid and
 * dropped. If another function throws, the feed goes down permanently.
 */
export interface Mapping {
  /** Parses one frame, decoded from JSON, into no item, one item, or several in order. Called for every frame. */
  read(frame: unknown): FrameItem | readonly FrameItem[] | undefined;
  /** The messages that subscribe to instruments. Omit it if the venue sends prices without a subscription. */
  subscribe?(symbols: readonly string[]): VenueMessage | readonly VenueMessage[];
  /** The messages that unsubscribe from instruments. Without this function, the feed only drops their prices. */
  unsubscribe?(symbols: readonly string[]): VenueMessage | readonly VenueMessage[];
  /** The first messages on every connection, such as a login. */
  open?(): VenueMessage | readonly VenueMessage[];
  /** The message to send every WEBSOCKET_PING_MS instead of a WebSocket ping, for a venue with its own ping message. */
  ping?(): VenueMessage;
  /** Whether `read` returns `subscribed` items. Default false: an instrument counts as subscribed once requested. */
  readonly acknowledges?: boolean;
  /** The `venue` field of each price, such as `coinbase`. */
  readonly venue?: string;
}

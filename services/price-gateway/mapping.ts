// What a user's mapping module exports, so that the `websocket` and `capture` feeds understand a venue's JSON. Types only.

import type { QuoteEvent, TradeEvent } from '@tickbus/capture';

/** One thing that a frame says. */
export type FrameItem =
  /** Unix milliseconds, finite numbers; a size that the venue does not tell is 0. */
  | TradeEvent
  | QuoteEvent
  /** The venue has answered for all of these by now. Only with `acknowledges`. */
  | { readonly kind: 'subscribed'; readonly symbols: readonly string[] }
  /** The venue will not serve this instrument; the others go on. */
  | {
      readonly kind: 'refused';
      readonly symbol: string;
      readonly code?: number | string;
      /** It does not exist, so that asking later will not help. Default false. */
      readonly isUnknown?: boolean;
      readonly reason: string;
    }
  /** The connection is of no use any more. It is made anew, unless `retryable` is false: then somebody must act first. */
  | {
      readonly kind: 'error';
      readonly code?: number | string;
      readonly reason: string;
      readonly retryable?: boolean;
    };

/** A message to the venue: an object is sent as JSON, a string as it is. */
export type VenueMessage = object | string;

/**
 * The exports of a mapping module. Only `read` is required. A function that throws ends nothing but what it was asked for: a
 * frame it cannot read is counted and passed over.
 */
export interface Mapping {
  /** What one frame, decoded from JSON, says: nothing, one item or several in order. Called for every frame. */
  read(frame: unknown): FrameItem | readonly FrameItem[] | undefined;
  /** Asks for instruments: one message or several. Without it the venue is expected to send them unasked. */
  subscribe?(symbols: readonly string[]): VenueMessage | readonly VenueMessage[];
  /** Gives instruments back. Without it they go on coming, and are passed over. */
  unsubscribe?(symbols: readonly string[]): VenueMessage | readonly VenueMessage[];
  /** Sent first on every connection, such as a login. */
  open?(): VenueMessage | readonly VenueMessage[];
  /** Sent every WEBSOCKET_PING_MS where the venue wants a message of its own; a WebSocket ping otherwise. */
  ping?(): VenueMessage;
  /** `read` tells `subscribed` items. Default false: an instrument counts as subscribed once it is asked for. */
  readonly acknowledges?: boolean;
  /** Where the prices come from, as written in each of them: `coinbase`. */
  readonly venue?: string;
}

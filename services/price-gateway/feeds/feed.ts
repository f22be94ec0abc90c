// The interface between the gateway and a feed, which is a connection to a broker. The gateway uses no other methods.

import type { VenueEvent } from '@tickbus/capture';

/** What a feed reports about an instrument. */
export type FeedEvent = VenueEvent;

/**
 * The state of the connection to the broker.
 *
 *     connecting -> live;   connecting or live -> down -> connecting;   any -> stopped
 *
 * The first state is `down` if `mayConnect` rejects. A `down` that is not retryable lasts until the feed is closed.
 */
export type FeedState =
  | { readonly type: 'connecting' }
  /** Authenticated, and the subscriptions that were requested at that time are sent. */
  | { readonly type: 'live' }
  | FeedDown
  /** The broker has released the connection; another program may connect. Final. */
  | { readonly type: 'stopped' };

export interface FeedDown {
  readonly type: 'down';
  /** The broker's error code: 406 of Alpaca, `RateLimitExceeded` of ccxt; undefined if there is none. */
  readonly code: number | string | undefined;
  /** Sentences for the operator: what happened and what to do. Contains no secret. */
  readonly reason: string;
  /** False if the settings or the account must change first; the feed does not reconnect then. */
  readonly retryable: boolean;
  /** When the broker permits the next attempt, milliseconds from now, at most an hour; undefined if it did not say. */
  readonly retryAfterMs?: number;
}

/** An instrument that the broker does not serve. Other instruments are not affected. */
export interface Refusal {
  readonly symbol: string;
  /** The broker's error code: 405 from Alpaca (symbol limit), `BadSymbol` from ccxt; undefined if it sent none. */
  readonly code: number | string | undefined;
  /** True if the broker does not know the symbol, so a retry is useless. False if a limit or the plan excludes it. */
  readonly isUnknown: boolean;
  /** Sentences for the bots that requested the instrument. */
  readonly reason: string;
}

/** One frame as sent over the wire, for the recorder. */
export interface RawFrame {
  /** `in`: from the broker; `out`: to the broker. */
  readonly dir: 'in' | 'out';
  /** The frame as JSON text; undecodable bytes as a JSON string. The recorder masks secrets, the feed does not. */
  readonly json: string;
}

/** A connection attempt that the feed requests permission for. */
export interface Attempt {
  /**
   * Connections that ended or failed since a price arrived, including the one of that price; 0 if none. A broker that
   * accepts connections and closes them at once delivers no price, so the delays grow.
   */
  readonly failures: number;
  /** Why the last connection ended; undefined for the first attempt. */
  readonly after: FeedDown | undefined;
  /** An additional connection beside the live one, to change the subscriptions. */
  readonly isExtra?: true;
}

/** Receives the feed's events. All methods are called synchronously, in the order of the events, and must not throw. */
export interface FeedListener {
  /**
   * Called before every connection to the broker, including the first; the feed connects once the promise resolves.
   * Only this method delays retries and limits connection attempts. A rejection leaves the feed down permanently.
   *
   * @param signal aborts when the feed is closed; the promise should then settle soon
   */
  mayConnect(attempt: Attempt, signal: AbortSignal): Promise<void>;
  /**
   * A frame of the broker with its events of requested instruments, in order; at least one. The values are unchecked:
   * the gateway validates them. A missing side of a quote has price 0 and size 0.
   */
  onFrame(events: readonly FeedEvent[]): void;
  /** A frame without events of requested instruments. The connection is alive, but no price is confirmed. */
  onHeartbeat?(): void;
  /** A frame that was not understood. The connection stays open. @param symbols the requested symbols that it names */
  onInvalidFrame(reason: string, symbols?: readonly string[]): void;
  onState(state: FeedState): void;
  /** What follows happened at another time: a recording begins, so that its events are not late. */
  onRecordingBegins?(): void;
  /** All symbols that the broker has acknowledged: from now on none of their prices is missed. */
  onSubscribed(symbols: readonly string[]): void;
  /**
   * The broker refuses an instrument; reported again after each reconnect. The next `setSymbols` that includes the
   * instrument requests it again.
   */
  onRefused(refusal: Refusal): void;
  /**
   * The broker sent events of instruments that are not requested; the feed has dropped them. Some are normal after a
   * change of the instruments.
   *
   * @param example one of the symbols, escaped and truncated
   */
  onUnrequested?(events: number, example: string): void;
  /** Every frame in and out, before its events are reported. Costs a copy of each frame: omit it unless recording. */
  onRaw?(frame: RawFrame): void;
}

/** One upstream connection for a set of instruments that can change at any time. Cannot be restarted after `close`. */
export interface Feed {
  /** The feed's name on FEED_STATUS: `alpaca`. */
  readonly name: string;
  /** The `venue` field of each price: `iex`. */
  readonly venue: string | undefined;
  /**
   * What else decides the meaning of the prices: `sandbox`, or the server of a feed without a venue. Two gateways of
   * one channel must have the same name, venue and origin. Default: nothing.
   */
  readonly origin?: string | undefined;
  /**
   * Sets the requested instruments, the most important first. At the broker's limit, instruments that are already
   * served stay, and the least important of the others are refused. Can be called at any time, also before `start`. The
   * feed sends only changes to the broker, but requests all instruments again after each reconnect. An empty set keeps
   * the connection open. `*` requests all instruments, if the broker supports that.
   */
  setSymbols(symbols: readonly string[]): void;
  /** Treats the current connection as failed for this reason; the feed reconnects as after any failure. */
  reconnect(reason: string): void;
  /** Starts to connect and returns immediately; the listener receives the outcome. Called once. */
  start(listener: FeedListener): void;
  /**
   * Closes the connection. No frame is reported after this call. Resolves when the connection is closed. Idempotent.
   *
   * @param withinMs the socket is terminated if the broker has not answered the close by then; default 2,000
   */
  close(withinMs?: number): Promise<void>;
}

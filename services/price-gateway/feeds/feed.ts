// The port between the gateway and a broker: what a feed is told and what it tells. The gateway knows nothing else of a feed.

import type { MarketEvent } from '@tickbus/capture';

/**
 * The life of the connection to the broker.
 *
 * connecting -> live -> (down -> connecting)* -> stopped. A `down` that is not retryable stays until the feed is closed.
 */
export type FeedState =
  | { readonly type: 'connecting' }
  /** The broker lets us in, and the instruments that were wanted then are asked for. */
  | { readonly type: 'live' }
  | FeedDown
  /** The broker has let go of the connection; another program may take it. Nothing follows. */
  | { readonly type: 'stopped' };

export interface FeedDown {
  readonly type: 'down';
  /** The broker's own error code, when it gave one: 406 of Alpaca, `RateLimitExceeded` of ccxt. */
  readonly code: number | string | undefined;
  /** Sentences for the operator: what happened and what to do. No secret in them. */
  readonly reason: string;
  /** False where somebody has to change the settings or the account first; the feed does not try again by itself. */
  readonly retryable: boolean;
}

/** One instrument that the broker will not serve, while it serves the others. */
export interface Refusal {
  readonly symbol: string;
  /** 405 of Alpaca (symbol limit), `BadSymbol` of ccxt; undefined when the broker gave none. */
  readonly code: number | string | undefined;
  /** The broker does not know it, so that asking later will not help; otherwise it is one too many, or not in the plan. */
  readonly isUnknown: boolean;
  /** Sentences for who asked for it. */
  readonly reason: string;
}

/** One frame as it went over the wire, for the recorder. */
export interface RawFrame {
  /** `in` came from the broker, `out` went to it. */
  readonly dir: 'in' | 'out';
  /** The frame as JSON text; undecodable bytes as a JSON string. Secrets are not masked here: the recorder does that. */
  readonly json: string;
}

/** An attempt to connect that the feed asks leave for. */
export interface Attempt {
  /** Connections that ended or failed since the feed was last live, the live one included; 0 for the first attempt. */
  readonly failures: number;
  /** Why the last connection ended; undefined for the first attempt. */
  readonly after: FeedDown | undefined;
  /** One more connection beside the live one, for a change of the instruments. */
  readonly isExtra?: true;
}

/** Who is told. All of it is called synchronously, in the order things happened. A listener must not throw. */
export interface FeedListener {
  /**
   * Asked before every connection to the broker, the first included; the feed connects only once it resolves. So backing off,
   * and any budget of attempts, is decided here and nowhere else. Rejecting leaves the feed down for good.
   *
   * @param signal aborts when the feed is closed; the promise should then settle soon, either way
   */
  mayConnect(attempt: Attempt, signal: AbortSignal): Promise<void>;
  /**
   * A frame of the broker with the market events in it, in order; none where it only shows that the broker speaks. The
   * numbers are as the broker sent them, and the gateway checks them; a side of a quote that is missing has price 0 and size 0.
   */
  onFrame(events: readonly MarketEvent[]): void;
  /** A frame that could not be read. The next one may be fine. */
  onInvalidFrame(reason: string): void;
  onState(state: FeedState): void;
  /** The broker has answered for these by now, all of them listed: from here on none of their prices is missed. */
  onSubscribed(symbols: readonly string[]): void;
  /** Told again after each reconnection. The instrument is tried again with the next `setSymbols` that leaves it in the set. */
  onRefused(refusal: Refusal): void;
  /** Every frame in and out, before what it holds is told. Leave it out when nothing is recorded: it costs a copy of each frame. */
  onRaw?(frame: RawFrame): void;
}

/** One upstream connection, for a set of instruments that may change at any time. It lives once: start, then close. */
export interface Feed {
  /** Under which the feed's status is published: `alpaca`. */
  readonly name: string;
  /** Where the prices come from, as written in each of them: `iex`. */
  readonly venue: string | undefined;
  /**
   * The instruments wanted from now on, the most important first: where the broker limits them, those it serves already
   * stay, and of the others the last ones are refused. May be called at any time, before `start` too; the feed asks the broker
   * for the difference, and for all of them after each reconnection. An empty set keeps the connection. `*` is all there are,
   * where the broker has that.
   */
  setSymbols(symbols: readonly string[]): void;
  /** Gives up a connection that seems dead, as if it had failed for this reason; a new one follows as after any failure. */
  reconnect(reason: string): void;
  /** Begins to connect and returns at once; what becomes of it is told to the listener. Called once. */
  start(listener: FeedListener): void;
  /**
   * Ends the connection. From this call on no frame is told; once it resolves the broker has let go. Safe to call again.
   *
   * @param withinMs the socket is cut when the broker has not answered the close by then; default 2,000
   */
  close(withinMs?: number): Promise<void>;
}

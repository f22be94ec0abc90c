// The port between the gateway and a broker: what a feed tells. Every feed implements it; the gateway knows nothing else.

import type { MarketEvent } from '@tickbus/capture';

/**
 * The life of the connection to the broker.
 *
 * connecting -> live -> (down -> connecting)* -> stopped; a `down` that is not retried stays until the feed is closed.
 */
export type FeedState =
  | { readonly type: 'connecting' }
  /** The broker has acknowledged the subscription. */
  | { readonly type: 'live' }
  | {
      readonly type: 'down';
      /** The broker's own error code, when it gave one. */
      readonly code: number | undefined;
      /** Sentences for the operator: what happened and what to do. */
      readonly reason: string;
      /** Milliseconds until the next try; undefined where trying again would not help. */
      readonly retryInMs: number | undefined;
    }
  /** The broker has let go of the connection; another program may take it. */
  | { readonly type: 'stopped' };

/** Who is told. A listener must not throw. */
export interface FeedListener {
  /**
   * A frame of the broker with the market events in it, in order; none where it only shows that the link lives. The numbers are
   * as the broker sent them, and the gateway checks them; a side of a quote that is missing has price 0 and size 0.
   */
  onFrame(events: readonly MarketEvent[]): void;
  /** A frame that could not be read. The next one may be fine. */
  onInvalidFrame(reason: string): void;
  onState(state: FeedState): void;
}

/** One upstream connection, for a fixed set of instruments. */
export interface Feed {
  /** Under which the feed's status is published: `alpaca`. */
  readonly name: string;
  /** Where the prices come from, as written in each of them: `iex`. */
  readonly venue: string | undefined;
  /** The instruments it subscribes to. */
  readonly symbols: readonly string[];
  /** Begins to connect and returns at once; what becomes of it is told as states. Called once. */
  start(listener: FeedListener): void;
  /** Ends the connection. Once it resolves the broker has let go, and no frame is told any more. Safe to call again. */
  close(): Promise<void>;
}

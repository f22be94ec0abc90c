// Everything that a link, a channel or a subscription can tell, each a tagged union.

import type { TickbusError } from '../errors.ts';
import type { LinkStatus } from '../transport/link-status.ts';
import type { LostRange } from '../wire/position.ts';

/**
 * Why messages are missing.
 *
 * - `loss`: the numbers show a hole: the link was down, or the server cut it.
 * - `epoch`: the server lost its memory, or the channel was begun anew; what came after `from` in the old epoch is unknown.
 * - `overflow`: this subscription's own handler is too slow for its queue.
 */
export type GapCause = 'loss' | 'epoch' | 'overflow';

/** Messages that were published and not delivered as they came. */
export interface Gap {
  readonly type: 'gap';
  readonly channel: string;
  /** Whose queue it was, by the `name` that the subscription was given; only with cause `overflow`, which no other subscription suffers. */
  readonly subscription?: string;
  readonly cause: GapCause;
  /** The epoch that `from` and `to` count in; undefined where the lost messages were unnumbered. */
  readonly epoch: number | undefined;
  readonly from: number | undefined;
  /** The last lost number; undefined where it cannot be known (cause `epoch`). */
  readonly to: number | undefined;
  /** How many were lost; undefined where it cannot be known (cause `epoch`). 0 when repaired. */
  readonly lost: LostRange['lost'] | undefined;
  /** True when every one of them was fetched afterwards and delivered in order. */
  readonly repaired: boolean;
}

export type ChannelStatus =
  /** Catching up: messages are held back until the place in the channel is known. */
  | { readonly type: 'recovering'; readonly channel: string }
  /** Messages are delivered as they arrive. `numbered: false`: without a position, so that losses cannot be seen. */
  | { readonly type: 'live'; readonly channel: string; readonly numbered: boolean }
  | { readonly type: 'recovery_failed'; readonly channel: string; readonly error: TickbusError }
  /** The server does not let us declare which keys we want; what others want is received all the same. Told once. */
  | { readonly type: 'demand_refused'; readonly channel: string; readonly error: TickbusError }
  | Slow
  | Gap;

/**
 * This process does not keep up with a channel, looked at once a second.
 *
 * - `blocked`: its event loop was blocked for so long; nothing was received meanwhile, and what came is that old.
 * - `handler`: messages have been waiting for a handler for so long. Told again only after it has caught up.
 */
export interface Slow {
  readonly type: 'slow';
  readonly channel: string;
  readonly cause: 'blocked' | 'handler';
  /** Milliseconds, 1,000 at least. */
  readonly behindMs: number;
}

/** What `subscriber.on('status', ...)` tells. */
export type SubscriberStatus = LinkStatus | ChannelStatus;

// The statuses of a channel or a subscription, as tagged unions.

import type { DefinitionConflict } from '../channel/definition.ts';
import type { TickbusError } from '../errors.ts';
import type { ChannelLinkStatus, LinkStatus } from '../transport/link-status.ts';
import type { LostRange } from '../wire/position.ts';

/**
 * Why messages are missing.
 *
 * - `loss`: numbered messages are missing, are no longer stored, or nothing proves which of several is real.
 * - `epoch`: the channel began a new epoch, or the server lost data. How many messages followed `from` is unknown.
 * - `overflow`: the queue of one subscription overflowed, because its handler is too slow.
 */
export type GapCause = 'loss' | 'epoch' | 'overflow';

/** Messages that were published and not received live, or were dropped. */
export interface Gap {
  readonly type: 'gap';
  readonly channel: string;
  /** The partition that the numbers belong to, if the channel has several. */
  readonly partition?: number;
  /** The `name` option of the subscription, if the gap concerns no other: its queue overflowed, or it has `from`. */
  readonly subscription?: string;
  readonly cause: GapCause;
  /** The epoch of `from` and `to`; undefined if the messages had no numbers. */
  readonly epoch: number | undefined;
  /** The first missing number; undefined if unknown. */
  readonly from: number | undefined;
  /** The last missing number; undefined if unknown. */
  readonly to: number | undefined;
  /** How many messages were lost; undefined if unknown (cause `epoch`, or a `from` by time). 0 if repaired. */
  readonly lost: LostRange['lost'] | undefined;
  /** True if all missing messages were recovered and delivered in order. */
  readonly repaired: boolean;
}

/**
 * Messages with a copied or invented number. On one link each number of an epoch arrives once, and none above the head
 * of the channel. The first is reported at once; further ones are summed up once a second for each channel.
 */
export interface Forged {
  readonly type: 'forged';
  readonly channel: string;
  /** The partition that the numbers belong to, if the channel has several. */
  readonly partition?: number;
  /**
   * True: the messages of `senders` are proved to be forged. They were not delivered, or they were delivered before the
   * proof. False: one of several messages with the same number is forged, and nothing proves which.
   */
  readonly isProved: boolean;
  /** The epoch of `from` and `to`; undefined if the messages are of several epochs. */
  readonly epoch: number | undefined;
  /** The lowest number; undefined if the messages are of several epochs. */
  readonly from: number | undefined;
  /** The highest number; undefined if the messages are of several epochs. */
  readonly to: number | undefined;
  /** How many numbers the report is about. */
  readonly count: number;
  /** The first eight senders that the messages claim, escaped, at most 128 characters each. Empty if unknown. */
  readonly senders: readonly string[];
}

export type ChannelStatus =
  /** A recovery is in progress: messages are held until it is complete. */
  | { readonly type: 'recovering'; readonly channel: string }
  /** Messages are delivered as they arrive. `numbered: false`: they have no positions, so losses cannot be detected. */
  | { readonly type: 'live'; readonly channel: string; readonly numbered: boolean }
  | { readonly type: 'recovery_failed'; readonly channel: string; readonly error: TickbusError }
  /**
   * Keys were not declared to the gateway: `TICKBUS_DENIED` if the user may not, `TICKBUS_LIMIT_EXCEEDED` if all
   * subscribers together demand too many keys, else the server's error. Keys that other subscribers demand are still
   * received. Reported once for each code. Unless denied, the keys are declared again every 5 s.
   */
  | { readonly type: 'demand_refused'; readonly channel: string; readonly error: TickbusError }
  /**
   * The channel has more keys, or larger values, than a subscriber keeps: 100,000 keys or 128 MiB. `keys` is the number
   * of keys whose latest value was removed, least recently updated first. None of them is fresh until its next message.
   * Keys that a subscription names are never evicted.
   */
  | { readonly type: 'values_evicted'; readonly channel: string; readonly keys: number }
  | ConflictReport
  | Slow
  | Forged
  | Gap;

/**
 * This process does not keep up with a channel. Checked once a second.
 *
 * - `blocked`: the event loop was blocked for `behindMs`. Nothing was received meanwhile, so messages may be that
 *   old.
 * - `handler`: messages have been waiting for a handler for `behindMs`. Reported again only after the handler has
 *   caught up.
 */
export interface Slow {
  readonly type: 'slow';
  readonly channel: string;
  readonly cause: 'blocked' | 'handler';
  /** Milliseconds, at least 1,000. */
  readonly behindMs: number;
}

/**
 * Another program has the name of this one, too, although this one has `uniqueName`: it took the name while this one
 * hung, or while its link or Redis was down. Both are running. `error` says who the other is.
 */
export interface NameTaken {
  readonly type: 'name_taken';
  readonly error: TickbusError;
}

/**
 * Another program defines the channel differently. Reported when it is first seen, within a second. Messages are still
 * delivered. Log lines have level error or warn, as `severity` says.
 */
export interface ConflictReport extends DefinitionConflict {
  readonly type: 'definition_conflict';
}

/** The event of `subscriber.on('status', ...)`. */
export type SubscriberStatus = LinkStatus | ChannelLinkStatus | ChannelStatus | NameTaken;

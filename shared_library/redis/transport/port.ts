// The ports: what the engine needs of the world. One screen; the promises stand in the comments.

import type { ChannelSpec } from '../channel/channel.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Position } from '../wire/position.ts';
import type { LinkStatus } from './link-status.ts';

/** One link to the server: commands and pushed messages in one order, so a reply is a barrier behind which all earlier messages lie. */
export interface Transport {
  /** Resolves when the link is usable; fails fast when the first connection does not come about. Safe to call again. */
  connect(): Promise<void>;
  /**
   * Publishes as one of many writers: all of the batch or none; rejects with OUTCOME_UNKNOWN when the reply was lost. Where the lease of
   * the channel is held, `token` has to be its token.
   *
   * @param seen the position that the caller knows the channel to have reached: a server below it has forgotten
   */
  publish(
    channel: ChannelSpec,
    batch: readonly Outgoing[],
    token?: FenceToken,
    seen?: Position,
  ): Promise<Receipt>;
  /** Resolves after the server has acknowledged the subscription, which then outlives reconnections. Any number a channel. */
  subscribe(channel: ChannelSpec, onFrame: (frame: Uint8Array) => void): Promise<Unsubscribe>;
  /** One atomic read: epoch, top sequence, and what is kept after `since` (last values or history). */
  read(channel: ChannelSpec, since?: Position): Promise<ChannelState>;
  /** As `read`, a barrier too, without what is kept: it costs the server next to nothing. */
  head(channel: ChannelSpec): Promise<ChannelHead>;
  lease(channel: ChannelSpec): LeaseOperations;
  demand(channel: ChannelSpec): DemandOperations;
  /** Link states; a listener that throws is contained. */
  onStatus(listener: (status: LinkStatus) => void): Unsubscribe;
  /** Ends the link. Calls that wait for a reply reject. */
  close(): Promise<void>;
}

/** A service's links to the server: two, so that a burst of messages coming in never delays what goes out. */
export interface Connection {
  readonly publishing: Transport;
  readonly subscribing: Transport;
  close(): Promise<void>;
}

/** One message to publish. */
export interface Outgoing {
  /** The JSON of the envelope, an object with at least one member. */
  readonly json: string;
  /** Under which the message is kept as the last value (kind `state`). */
  readonly key?: string;
  /** Makes a repeated publish harmless (kind `command`): the same id is published once. All messages of a batch have it, or none. */
  readonly idempotency?: IdempotencyKey;
}

/** An id that the server remembers for a while, in milliseconds, from the moment it has published its message. */
export interface IdempotencyKey {
  readonly id: string;
  readonly rememberMs: number;
  /** Of a retry: the epoch in which it was sent first. In another one the server may have forgotten the id, and does not publish it. */
  readonly firstEpoch?: number;
}

/** What became of a batch. */
export interface Receipt {
  /** undefined on a `plain` channel, whose messages are not numbered. */
  readonly first: Position | undefined;
  /** How many subscriptions each message of the batch reached. */
  readonly receivers: number;
  /**
   * The commands that were not published now, by their index in the batch: published before under their id, or `forgotten`, which
   * leaves that open. The others are numbered from `first` on without them.
   */
  readonly repeated?: ReadonlyMap<number, EarlierPublish | 'forgotten'>;
}

export interface EarlierPublish {
  readonly position: Position;
  readonly receivers: number;
}

/** Publishes as the only writer of a channel, for as long as one lease is held: it numbers and stamps, and knows every outcome. */
export interface Writer {
  /** How many batches it takes now; 0 while its link is being re-established, and for good once the lease has ended. */
  readonly room: number;
  /** Called when there may be more room, or none any more for good. */
  onRoom(listener: () => void): Unsubscribe;
  /**
   * Publishes in the order of the calls. Resolves with undefined when nothing of the batch was executed and it can be sent again; settles
   * only once that is known, which after a lost link is when the link is back.
   *
   * @throws TickbusError `TICKBUS_OUTCOME_UNKNOWN` only if the server forgot, or refused a part
   */
  publish(batch: readonly Outgoing[]): Promise<Receipt | undefined>;
  /** The holder no longer counts on the lease, whatever the server says: nothing more is taken. */
  end(): void;
}

/** Where a channel ends. */
export interface ChannelHead {
  /** Epoch and top sequence; ORIGIN where nothing was ever published, or the server lost its memory. */
  readonly position: Position;
  /** When that was, by the server's clock: Unix milliseconds, with fractions. */
  readonly at: number;
  /** The token under which the lease of the channel is held at that moment; left out while nobody holds it. */
  readonly lease?: FenceToken;
}

/** A channel as the server has it at one instant. */
export interface ChannelState extends ChannelHead {
  /** What is kept after `since`, in ascending order; all that is kept when `since` is left out or of another epoch. */
  readonly entries: readonly Uint8Array[];
  /** The epoch was numbered by another branch of the server: what followed `position` there may be lost. */
  readonly isForgotten?: boolean;
}

/** Proof of holding a lease; grows with every acquisition. */
export type FenceToken = number;

/** What became of an attempt to take a lease. */
export type LeaseAttempt =
  | {
      readonly state: 'held';
      readonly token: FenceToken;
      /** Of a channel that its holder writes exclusively. Without it the token is checked with every publish. */
      readonly writer?: Writer;
      /** Why the holder of a channel has no exclusive writer, as a sentence. */
      readonly reason?: string;
    }
  /** Another's, for so long yet unless it is renewed or released. */
  | { readonly state: 'taken'; readonly leftMs: number }
  /** Nobody's for so long: the server may have forgotten a holder, who has given up by then. */
  | { readonly state: 'holding_off'; readonly leftMs: number }
  /** Its last holder writes exclusively and did not release it; this candidate cannot stop what that holder has under way. */
  | { readonly state: 'barred'; readonly leftMs: number; readonly reason: string };

/** The right to be the only one to publish on a channel. Times in milliseconds. */
export interface LeaseOperations {
  /** As `Transport.connect`. */
  connect(): Promise<void>;
  /**
   * A new lease begins a new epoch of the channel. A server that cannot be sure to remember the last holder (its memory is empty, it is
   * another branch, or the lease vanished before its time) gives it to nobody for one TTL, counted from the first attempt.
   */
  acquire(ttlMs: number): Promise<LeaseAttempt>;
  /** False when the lease is no longer the caller's. */
  renew(token: FenceToken, ttlMs: number): Promise<boolean>;
  /** Lets the next candidate in at once, behind all that was published. False when the lease was no longer the caller's. */
  release(token: FenceToken): Promise<boolean>;
  /** Called on each new connection. */
  onConnected(listener: () => void): Unsubscribe;
  close(): Promise<void>;
}

/** The right to publish on a channel, as a publisher asks for it with each message. */
export interface Fence {
  /** The channel whose lease it is; undefined for the lease of a job. */
  readonly channel: ChannelSpec | undefined;
  /** undefined while the lease is not held. */
  readonly token: FenceToken | undefined;
  /** What publishes under it, if its holder writes exclusively. */
  readonly writer?: Writer | undefined;
  /** The server may think otherwise: ask it now. */
  confirm(): void;
}

/** Which keys of a channel are wanted, so that its gateway can subscribe to them upstream. */
export interface DemandOperations {
  /** `who`, without line breaks, wants these keys for so long; again before it ends, it lasts on. */
  declare(who: string, keys: readonly string[], ttlMs: number): Promise<void>;
  withdraw(who: string, keys: readonly string[]): Promise<void>;
  /** Each key that is wanted now, and by how many. */
  wanted(): Promise<ReadonlyMap<string, number>>;
}

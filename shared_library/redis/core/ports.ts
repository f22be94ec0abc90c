// The ports: what the engine needs of the world. One screen; the promises stand in the comments.

import type { ChannelSpec } from './channel.ts';
import type { Unsubscribe } from './emitter.ts';
import type { Position } from './sequence.ts';
import type { LinkStatus } from './status.ts';

export type { Unsubscribe } from './emitter.ts';

/** One link to the server: commands and pushed messages in one order, so a reply is a barrier behind which all earlier messages lie. */
export interface Transport {
  /** Resolves when the link is usable; fails fast when the first connection does not come about. Safe to call again. */
  connect(): Promise<void>;
  /** All of the batch or none; resolves with its positions; rejects with OUTCOME_UNKNOWN when the reply was lost. */
  publish(
    channel: ChannelSpec,
    batch: readonly Outgoing[],
    fence?: FenceToken,
    chained?: Chained,
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
  readonly once?: Once;
}

/** An id that the server remembers for a while, in milliseconds, from the moment it has published its message. */
export interface Once {
  readonly id: string;
  readonly rememberMs: number;
}

/** Keeps several calls in their order, all under way at once: each takes effect directly behind the one before, or not at all. */
export interface Chained {
  /** The name of this call, which no other has on this channel, without blanks. */
  readonly call: string;
  /** Behind what it stands, as far as the caller knows; undefined: he knows nothing. */
  readonly after?: Predecessor | undefined;
}

/** The last call of a channel, and where the channel ended with it. */
interface Predecessor {
  readonly call: string;
  readonly end: Position;
  /**
   * True: where another call is the last one, or it ended elsewhere, nothing is published. False: the call takes the place there is,
   * and what is said here only saves the server work.
   */
  readonly isRequired: boolean;
}

/** What became of a batch. */
export interface Receipt {
  /** The channel does not end as the call expects (`Chained`): nothing was published. */
  readonly isOvertaken?: true;
  /** undefined on a `plain` channel, whose messages are not numbered. */
  readonly first: Position | undefined;
  /** How many subscriptions each message of the batch reached. */
  readonly receivers: number;
  /**
   * What had been published before under its id, by its index in the batch, with what was said of it then. It was not published
   * again: the others are numbered from `first` on without it.
   */
  readonly repeated?: ReadonlyMap<number, PublishedBefore>;
}

export interface PublishedBefore {
  readonly position: Position;
  readonly receivers: number;
}

/** Where a channel ends. */
export interface ChannelHead {
  /** Epoch and top sequence; ORIGIN where nothing was ever published, or the server lost its memory. */
  readonly position: Position;
  /** When that was, by the server's clock: Unix milliseconds, with fractions. */
  readonly at: number;
}

/** A channel as the server has it at one instant. */
export interface ChannelState extends ChannelHead {
  /** What is kept after `since`, in ascending order; all that is kept when `since` is left out or of another epoch. */
  readonly entries: readonly Uint8Array[];
}

/** Proof of holding a lease; grows with every acquisition. */
export type FenceToken = number;

/** What became of an attempt to take a lease. */
export type LeaseAttempt =
  | { readonly state: 'held'; readonly token: FenceToken }
  /** Another's, for so long yet unless it is renewed or released. */
  | { readonly state: 'taken'; readonly leftMs: number }
  /** Nobody's for so long: the server may have forgotten a holder, who has given up by then. */
  | { readonly state: 'holding_off'; readonly leftMs: number };

/** The right to be the only one to publish on a channel. Times in milliseconds. */
export interface LeaseOperations {
  /**
   * A new lease begins a new epoch of the channel. A server that cannot be sure to remember the last holder (its memory is empty, it was
   * started anew, or the lease vanished before its time) gives it to nobody for one TTL, counted from the first attempt.
   */
  acquire(ttlMs: number): Promise<LeaseAttempt>;
  /** False when the lease is no longer the caller's. */
  renew(token: FenceToken, ttlMs: number): Promise<boolean>;
  /** Lets the next one in at once. False when the lease was no longer the caller's. */
  release(token: FenceToken): Promise<boolean>;
}

/** The right to publish on a channel, as a publisher asks for it with each message. */
export interface Fence {
  /** The channel whose lease it is; undefined for the lease of a job. */
  readonly channel: ChannelSpec | undefined;
  /** undefined while the lease is not held. */
  readonly token: FenceToken | undefined;
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

/** All the time the engine knows. */
export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds since some moment; never jumps. */
  monotonic(): number;
  /** Calls back once after `ms` milliseconds, unless cancelled. Keeps no process alive. */
  after(ms: number, callback: () => void): Unsubscribe;
  /** Calls back in the next turn of the event loop, after what has arrived in between was read. */
  nextTurn(callback: () => void): void;
}

/** Where log lines go; pino fits it as it is. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

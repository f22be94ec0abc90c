// The port: the contract between the library and a transport. Its guarantees are stated in the comments.

import type { ChannelSpec } from '../channel/channel.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Position } from '../wire/position.ts';
import type { Adopting } from './adoption-port.ts';
import type { Complaining } from './complaint-port.ts';
import type { DemandOperations } from './demand-port.ts';
import type { HistoryReader } from './history-port.ts';
import type { ChannelLinkStatus, LinkStatus } from './link-status.ts';
import type { Listening } from './listener-port.ts';

/**
 * One link to the server. It delivers replies and pushed messages in order. So a reply is a barrier: when it arrives,
 * all messages that the server sent before it have arrived.
 */
export interface Transport extends HistoryReader, Listening, Adopting, Complaining {
  /** Resolves when the link is connected. Rejects without retrying if the first one fails. Can be called again. */
  connect(): Promise<void>;
  /**
   * Publishes as one of many writers: either all messages of the batch or none. Rejects with OUTCOME_UNKNOWN if the
   * reply is lost. If the lease of the channel is held, `token` must be its token.
   *
   * Rejects with LIMIT_EXCEEDED if the batch would add a last value to a channel that has `MAX_CHANNEL_KEYS` of them.
   * An exclusive writer on Redis has no such limit: the process that uses the writer limits its keys, as the price
   * gateway does.
   *
   * @param known a position that the channel is known to have reached; a server below that position has lost data
   * @param confirmation if fewer replicas confirm the batch in time, it rejects with OUTCOME_UNKNOWN. Rejects with
   *   DENIED, and sends nothing, if the user may not ask for confirmations
   * @throws PartitionsChangedError if the server has another number of partitions for the channel than `channel.layout`
   * @throws DefinitionConflictError if another definition of the channel is recorded, which stores messages differently
   */
  publish(
    channel: ChannelSpec,
    batch: readonly Outgoing[],
    token?: FenceToken,
    known?: Position,
    confirmation?: Confirmation,
  ): Promise<Receipt>;
  /**
   * Reads epoch, top sequence number, and the stored messages after `since` (last values or history). All fields except
   * `entries` describe the channel at one instant. All messages up to `position` have arrived before the reply.
   *
   * `entries` can be read after that instant, in chunks. No entry is above `position`: a message published during the
   * read is left out, because it arrives live. So a last value that is replaced during the read is missing, but the
   * message that replaces it arrives before the reply. If that message is lost in transit, the loss is detected like
   * any other, because its number is above `position`. History that the server drops during the read is missing, too.
   *
   * @param since stored messages of the same epoch up to this position are left out
   * @throws TickbusError `TICKBUS_SERVER_ERROR` if the epoch changes again and again during the read; `TICKBUS_CLOSED`
   *   after `signal` has aborted
   */
  read(channel: ChannelSpec, since?: Position, options?: ReadOptions): Promise<ChannelState>;
  /** Like `read`, but without stored messages. Its reply is a barrier, too. Costs the server very little. */
  head(channel: ChannelSpec): Promise<ChannelHead>;
  /**
   * @param replicas number of replicas that must confirm each grant and each renewal; default 1 behind Sentinel, else 0
   * @param channelLease the lease of the channel, if `channel` is one of its partitions. Its holder alone acquires them
   */
  lease(channel: ChannelSpec, replicas?: number, channelLease?: LeaseOperations): LeaseOperations;
  demand(channel: ChannelSpec): DemandOperations;
  /**
   * Records the number of partitions of a channel, in the head of the channel itself or of one of its partitions. If
   * the number changes, a new epoch begins and all stored messages are deleted. Later publishes for another number are
   * rejected, also those of an exclusive writer. The writer of the caller's own lease continues in another epoch.
   * A call whose outcome is unknown can be repeated.
   *
   * @param token the token of the lease of `channel`, if the caller holds it. If another process holds it, the call
   *   rejects with FENCED
   * @param isFirst true: change nothing if the channel has a head, and so a number of partitions
   * @returns the number that the channel has now
   */
  setPartitions(channel: ChannelSpec, partitions: number, options?: SetPartitionsOptions): Promise<number>;
  /** Reports link states: of all channels, or of one if `byChannel`. A listener that throws does not affect others. */
  onStatus(listener: (status: LinkStatus | ChannelLinkStatus) => void): Unsubscribe;
  /** Whether each channel has its own link, possibly to another server with another clock. Default: one link. */
  readonly byChannel?: boolean;
  /** Closes the link. Calls in flight reject. */
  close(): Promise<void>;
}

/** The two links of a service to the server: so a burst of received messages never delays publishing. */
export interface Connection {
  /** The namespace of all its channels; undefined for none. Errors of a link name a channel as `paper:PRICE_DATA`. */
  readonly namespace?: string | undefined;
  readonly publishing: Transport;
  readonly subscribing: Transport;
  close(): Promise<void>;
}

export interface SetPartitionsOptions {
  /** The token of the lease of the channel, if the caller holds it. */
  readonly token?: FenceToken | undefined;
  /** True: change nothing if the channel is in use. */
  readonly isFirst?: boolean | undefined;
  /** The name of the program, which stands at the head with the definition of the channel. Default: none. */
  readonly program?: string | undefined;
}

/** What to read, and until when. */
export interface ReadOptions {
  /**
   * The keys whose last values are needed (kind `state`); undefined: all. The result can contain other keys, too: if
   * the channel has at most `MAX_READ_WHOLE` last values, and at most about 1 MiB, the server returns all of them.
   */
  readonly keys?: ReadonlySet<string> | undefined;
  /** Ends the read early, between two chunks. */
  readonly signal?: AbortSignal | undefined;
}

/** If a channel has at most this many last values, and at most about 1 MiB, `read` returns all, as of one instant. */
export const MAX_READ_WHOLE = 500;

/** One message to publish. */
export interface Outgoing {
  /** The envelope as JSON: an object with at least one member. */
  readonly json: string;
  /** The key of the last value that this message replaces (kind `state`). */
  readonly key?: string;
  /** True if the message removes the last value of `key` instead of replacing it (kind `state`). */
  readonly endsKey?: true;
  /** Deduplicates retries (kind `command`). Either all messages of a batch have it, or none. */
  readonly idempotency?: IdempotencyKey;
}

/** The server publishes a command with this id once, and remembers the id for `rememberMs` milliseconds after that. */
export interface IdempotencyKey {
  readonly id: string;
  readonly rememberMs: number;
  /**
   * On a retry, the epoch of the first attempt. In any other epoch the server may have lost the id, so it does not
   * publish the command.
   */
  readonly firstEpoch?: number;
}

/** The replicas that must confirm a batch before it counts as published. */
export interface Confirmation {
  /** Their number, at least 1. */
  readonly replicas: number;
  /** Milliseconds that they have, from the call. */
  readonly withinMs: number;
}

/** The outcome of a batch. */
export interface Receipt {
  /** Position of the first message; undefined on a `plain` channel. */
  readonly first: Position | undefined;
  /** Number of subscriptions that each message reached. */
  readonly receivers: number;
  /**
   * The recorded definition that this batch has replaced by that of its channel, which differs in a detail. On a
   * `plain` channel it stays. Undefined: none, or it is the same.
   */
  readonly replaced?: string;
  /**
   * Commands that this call did not publish, by index in the batch. The value is the earlier publish under the same id,
   * or `forgotten` if the server cannot know whether there was one. The other messages are numbered from `first`
   * without gaps.
   */
  readonly repeated?: ReadonlyMap<number, EarlierPublish | 'forgotten'>;
}

/** The publish that first used the id of a repeated command. */
export interface EarlierPublish {
  readonly position: Position;
  readonly receivers: number;
}

/**
 * The exclusive writer of a channel while one lease is held. It assigns positions and timestamps, and finds out the
 * outcome of every batch.
 */
export interface Writer {
  /**
   * Number of batches that the writer accepts now. 0 while its link reconnects, and forever after the lease has ended.
   */
  readonly room: number;
  /** Called when `room` may have grown, and when the lease has ended. */
  onRoom(listener: () => void): Unsubscribe;
  /**
   * Publishes in call order. Resolves with undefined if nothing was executed and the batch can be sent again. Settles
   * only when the outcome is known. After a lost link, that is when the link has reconnected.
   *
   * @param confirmation as of `Transport.publish`
   * @throws TickbusError `TICKBUS_OUTCOME_UNKNOWN` only if the server lost data or rejected a part of the batch, the
   *   lease or link ended for good, or too few replicas confirmed the batch
   */
  publish(batch: readonly Outgoing[], confirmation?: Confirmation): Promise<Receipt | undefined>;
  /** Called when the holder gives up the lease, before the server learns of it. The writer then accepts no batches. */
  end(): void;
}

/** The head of a channel: its latest position, and its current lease. */
export interface ChannelHead {
  /** Epoch and top sequence; ORIGIN if nothing was ever published, or the server lost its data. */
  readonly position: Position;
  /** Server time of the read, in Unix milliseconds with fractions. */
  readonly at: number;
  /** Fence token of the current lease; absent while nobody holds it. */
  readonly lease?: FenceToken;
  /** The recorded number of partitions; absent: none was recorded, so the channel has one. */
  readonly partitions?: number;
  /** The recorded definition; see `definitionText`. Absent: no writer has recorded one. */
  readonly definition?: string;
  /** The latest complaint about it, with its time; see `complaintText`. Only `head` tells it. */
  readonly conflict?: string;
}

/** The state of a channel on the server. See `Transport.read` for what was read at one instant. */
export interface ChannelState extends ChannelHead {
  /**
   * Stored messages after `since` and up to `position`; all of them if `since` is absent or of another epoch. History
   * is in ascending order. Last values are in any order, and one may occur twice.
   */
  readonly entries: readonly Uint8Array[];
  /**
   * The key under which the first entry is stored (kind `state`), if the read tells it.
   */
  readonly firstKey?: string;
  /**
   * Whether the server restarted or failed over since the epoch began, so that its latest messages may be lost.
   */
  readonly isForgotten?: boolean;
}

/** Proves that the caller holds a lease. Every acquisition of the lease gets a higher token. */
export type FenceToken = number;

/** The outcome of an attempt to acquire a lease. */
export type LeaseAttempt =
  | {
      readonly state: 'held';
      readonly token: FenceToken;
      /** Present on a channel with an exclusive writer. Without it, every publish checks the token. */
      readonly writer?: Writer;
      /** Why there is no exclusive writer, as a sentence. */
      readonly reason?: string;
      /** The recorded definition that this claim has replaced; undefined: none, or it is the same. */
      readonly replaced?: string;
      /** The leases of the partitions, if the channel has several. Each is valid only while this one is. */
      readonly partitions?: readonly Fence[];
    }
  /** Held by another process, for `leftMs` unless it is renewed or released; or a failed claim can be repeated. */
  | { readonly state: 'taken'; readonly leftMs: number }
  /**
   * Nobody can acquire the lease for `leftMs`. The server may have lost the record of a holder, whose lease expires by
   * then.
   */
  | { readonly state: 'holding_off'; readonly leftMs: number }
  /**
   * The last holder was an exclusive writer and did not release the lease. This candidate cannot stop that holder's
   * batches in flight.
   */
  | { readonly state: 'barred'; readonly leftMs: number; readonly reason: string };

/** The exclusive right to publish on a channel. Times are in milliseconds. */
export interface LeaseOperations {
  /** See `Transport.connect`. */
  connect(): Promise<void>;
  /**
   * A new lease begins a new epoch of the channel. The server may have lost the record of the last holder: its memory
   * is empty, it restarted or failed over, or the lease vanished before it expired. The server then withholds the lease
   * for one TTL after the first attempt.
   */
  acquire(ttlMs: number): Promise<LeaseAttempt>;
  /** False if the caller no longer holds the lease. */
  renew(token: FenceToken, ttlMs: number): Promise<boolean>;
  /** Frees the lease for the next candidate, after all earlier publishes. False if the caller no longer held it. */
  release(token: FenceToken): Promise<boolean>;
  /** The lease is not held any more. Called before the server learns of it, and before a `release`. */
  end?(): void;
  /** Called after each connect and reconnect. */
  onConnected(listener: () => void): Unsubscribe;
  close(): Promise<void>;
}

/** The right to publish on a channel. A publisher checks it for each message. */
export interface Fence {
  /** The channel of the lease; undefined for the lease of a job. */
  readonly channel: ChannelSpec | undefined;
  /** The namespace of that channel. Only a publisher of the same namespace can use the lease. */
  readonly namespace?: string | undefined;
  /** undefined while the lease is not held. */
  readonly token: FenceToken | undefined;
  /** The exclusive writer, if there is one. */
  readonly writer?: Writer | undefined;
  /**
   * The rights to publish on the partitions, if the channel has several. They can only be used while `token` is
   * defined.
   */
  readonly partitions?: readonly Fence[] | undefined;
  /** Checks with the server now whether the lease is still held. */
  confirm(): void;
}

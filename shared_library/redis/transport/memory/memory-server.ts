// An in-memory server: does what Redis and the tickbus scripts do for a channel.

import type { ChannelSpec } from '../../channel/channel.ts';
import { timedComplaint } from '../../channel/complaint.ts';
import { withAuthor } from '../../channel/definition.ts';
import { MAX_DEMAND } from '../../channel/limits.ts';
import { PartitionsChangedError, parsePartitionName } from '../../channel/partitions.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Unsubscribe } from '../../runtime/emitter.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import { ORIGIN, type Position } from '../../wire/position.ts';
import { positioned } from '../../wire/position-prefix.ts';
import type { Adoption, PlainMessage } from '../adoption-port.ts';
import type { DefinitionEntry } from '../definition-records.ts';
import { countKeys, demandEntry, demandFullError } from '../demand-entries.ts';
import type { HistoryPage, HistoryQuery, StoredEntry } from '../history-port.ts';
import type {
  ChannelHead,
  ChannelState,
  EarlierPublish,
  FenceToken,
  LeaseAttempt,
  Outgoing,
  Receipt,
  SetPartitionsOptions,
} from '../port.ts';
import { adoptInto } from './adoption.ts';
import { findDuplicate, rememberId } from './command-ids.ts';
import { checkDefinition, isRedefined, redefine } from './definition.ts';
import { fencedError } from './fenced-error.ts';
import { encodeFrames, utf8 } from './frames.ts';
import { checkKeyLimit, lastValues, storeLast } from './last-values.ts';
import { emptyChannel, type ServerChannel, type ServerLease } from './server-channel.ts';

/**
 * An in-memory server. All connections to one server share its channels. It passes the same contract suite as Redis.
 */
export class MemoryServer {
  readonly #clock: Clock;
  readonly #channels = new Map<string, ServerChannel>();
  #lastEpoch = ORIGIN.epoch;

  /** @param clock timestamps messages and expires leases; default: the system clock */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  publish(
    spec: ChannelSpec,
    batch: readonly Outgoing[],
    token?: FenceToken,
    known: Position = ORIGIN,
    definition?: DefinitionEntry,
  ): Receipt {
    const channel = this.#channel(spec.name);
    this.#checkFence(spec, channel, token);
    if (definition !== undefined) checkDefinition(channel, definition);
    if (spec.kind === 'plain') {
      const texts = batch.map(({ json }) => json);
      for (const frame of encodeFrames(spec, texts)) this.publishRaw(spec.name, frame);
      return { first: undefined, receivers: channel.listeners.size };
    }
    this.#checkPartitions(spec, channel, batch);
    checkKeyLimit(spec, channel.last, batch);
    const { epoch, seq } = channel.head;
    if (epoch < known.epoch || (epoch === known.epoch && seq < known.seq)) channel.head = ORIGIN;
    const at = this.#clock.now();
    const repeated = new Map<number, EarlierPublish | 'forgotten'>();
    const texts: string[] = [];
    let first: Position | undefined;
    for (const [index, message] of batch.entries()) {
      const before = findDuplicate(channel, message, this.#clock.monotonic());
      if (before !== undefined) {
        repeated.set(index, before);
        continue;
      }
      const position = this.#nextPosition(channel);
      first ??= position;
      const text = positioned(message.json, position, at);
      store(spec, channel, message, { position, frame: utf8.encode(text) });
      texts.push(text);
      rememberId(channel, message, this.#clock.monotonic(), { position, receivers: channel.listeners.size });
    }
    if (definition !== undefined && texts.length > 0) channel.definition = definition.text;
    for (const frame of encodeFrames(spec, texts)) this.publishRaw(spec.name, frame);
    const receipt = {
      first: first ?? { epoch: channel.head.epoch, seq: 0 },
      receivers: channel.listeners.size,
    };
    return repeated.size === 0 ? receipt : { ...receipt, repeated };
  }

  adopt(spec: ChannelSpec, messages: readonly PlainMessage[]): Adoption[] {
    const channel = this.#channel(spec.name);
    const { partitions, last } = channel;
    if (partitions !== undefined && partitions !== (spec.layout ?? 1))
      throw new PartitionsChangedError(spec, partitions);
    const isLeased = this.#heldLease(channel) !== undefined;
    const refusal = isLeased ? 'leased' : isRedefined(channel, spec.definition) ? 'redefined' : undefined;
    const now = this.#clock.now();
    return messages.map((message) => refusal ?? adoptInto(last, message, now));
  }

  /** Publishes raw bytes, like a plain client. Returns the number of subscriptions that they reached. */
  publishRaw(name: string, frame: Uint8Array): number {
    const { listeners } = this.#channel(name);
    for (const listener of [...listeners.keys()]) listener(frame);
    return listeners.size;
  }

  subscribe(name: string, onFrame: (frame: Uint8Array) => void, isNamed = false): Unsubscribe {
    const { listeners } = this.#channel(name);
    const listener = (frame: Uint8Array) => onFrame(frame);
    listeners.set(listener, isNamed);
    return () => listeners.delete(listener);
  }

  areListenersNamed(name: string): boolean {
    return [...this.#channel(name).listeners.values()].every(Boolean);
  }

  read(spec: ChannelSpec, since: Position | undefined, keys?: ReadonlySet<string>): ChannelState {
    const { last, history } = this.#channel(spec.name);
    const { position: head, ...now } = this.head(spec);
    const kept = spec.kind === 'state' ? lastValues(last, keys) : history.all;
    const inEpoch = since?.epoch === head.epoch && head.epoch !== ORIGIN.epoch;
    const entries = kept
      .filter(({ position }) => !inEpoch || (position.epoch === head.epoch && position.seq > since.seq))
      .sort((a, b) => a.position.epoch - b.position.epoch || a.position.seq - b.position.seq)
      .map(({ frame }) => frame);
    const [firstKey] = [...last].find(([, { frame }]) => frame === entries[0]) ?? [];
    return { position: head, entries, ...now, ...(firstKey !== undefined && { firstKey }) };
  }

  readHistory(spec: ChannelSpec, query: HistoryQuery): HistoryPage {
    const { head, partitions, history } = this.#channel(spec.name);
    return { position: head, partitions, isForgotten: false, ...history.read(query) };
  }

  head({ name }: ChannelSpec): ChannelHead {
    const channel = this.#channel(name);
    const token = this.#heldLease(channel)?.token;
    const lease = token === undefined || token === 'nobody' ? {} : { lease: token };
    const recorded = channel.partitions === undefined ? {} : { partitions: channel.partitions };
    const { definition, conflict } = channel;
    const texts = {
      ...(definition !== undefined && { definition }),
      ...(conflict !== undefined && { conflict }),
    };
    return { position: channel.head, at: this.#clock.now(), ...lease, ...recorded, ...texts };
  }

  complain({ name }: ChannelSpec, text: string): void {
    const channel = this.#channel(name);
    if (channel.definition !== undefined) channel.conflict = timedComplaint(text, this.#clock.now());
  }

  setPartitions(spec: ChannelSpec, partitions: number, options: SetPartitionsOptions = {}): number {
    const channel = this.#channel(spec.name);
    const recorded = channel.partitions;
    const isUsed = recorded !== undefined || channel.head.epoch !== ORIGIN.epoch;
    const present = recorded ?? (parsePartitionName(spec.name) === undefined ? 1 : undefined);
    if (present === partitions) return partitions;
    if (options.isFirst && isUsed) return present ?? 1;
    // A partition whose last holder crashed can be changed, because the change begins a new epoch.
    if (parsePartitionName(spec.name) === undefined) this.#checkFence(spec, channel, options.token);
    else if (this.#heldLease(channel)?.token !== options.token)
      throw fencedError(spec, channel, options.token);
    channel.head = { epoch: this.#newEpoch(), seq: 0 };
    channel.last.clear();
    channel.history.clear();
    channel.partitions = partitions;
    if (spec.definition !== undefined)
      channel.definition = withAuthor(spec.definition, options.program ?? '');
    return partitions;
  }

  /** @param definition the holder decides how the channel is defined; undefined: it defines nothing */
  acquire(name: string, ttlMs: number, definition?: string): LeaseAttempt {
    const channel = this.#channel(name);
    const held = this.#heldLease(channel);
    const expiresAt = this.#clock.monotonic() + ttlMs;
    if (held !== undefined) {
      const state = held.token === 'nobody' ? 'holding_off' : 'taken';
      return { state, leftMs: held.expiresAt - this.#clock.monotonic() };
    }
    const hasRecord = channel.token !== 0;
    channel.token = Math.max(channel.token + 1, this.#clock.now());
    channel.leasedAt = this.#clock.now();
    if (hasRecord) channel.isReleased = false;
    channel.lease = { token: hasRecord ? channel.token : 'nobody', expiresAt };
    if (!hasRecord) return { state: 'holding_off', leftMs: ttlMs };
    channel.head = { epoch: this.#newEpoch(), seq: 0 };
    const replaced = redefine(channel, definition);
    return { state: 'held', token: channel.token, ...(replaced !== undefined && { replaced }) };
  }

  renew(name: string, token: FenceToken, ttlMs: number): boolean {
    const channel = this.#channel(name);
    const lease = this.#heldLease(channel);
    // An expired lease is renewed if nobody else has acquired it since.
    const isOurs =
      lease === undefined ? channel.token === token && !channel.isReleased : lease.token === token;
    if (isOurs) channel.lease = { token, expiresAt: this.#clock.monotonic() + ttlMs };
    return isOurs;
  }

  release(name: string, token: FenceToken): boolean {
    const channel = this.#channel(name);
    if (this.#heldLease(channel)?.token !== token) return false;
    channel.lease = undefined;
    channel.isReleased = true;
    return true;
  }

  declare(name: string, subscriberId: string, keys: readonly string[], ttlMs: number): void {
    const { demand } = this.#channel(name);
    this.#forgetExpired(demand);
    const expiresAt = this.#clock.monotonic() + ttlMs;
    let declined = 0;
    for (const key of keys) {
      const entry = demandEntry(subscriberId, key);
      if (demand.size < MAX_DEMAND || demand.has(entry)) demand.set(entry, expiresAt);
      else declined++;
    }
    if (declined > 0) throw demandFullError({ name }, declined);
  }

  withdraw(name: string, subscriberId: string, keys: readonly string[]): void {
    const { demand } = this.#channel(name);
    for (const key of keys) demand.delete(demandEntry(subscriberId, key));
  }

  wanted(name: string): ReadonlyMap<string, number> {
    const { demand } = this.#channel(name);
    this.#forgetExpired(demand);
    return countKeys(demand.keys());
  }

  #forgetExpired(demand: Map<string, number>): void {
    const now = this.#clock.monotonic();
    for (const [entry, expiresAt] of demand) if (expiresAt <= now) demand.delete(entry);
  }

  /** Deletes all data but keeps subscriptions, like a restarted Redis without persistence. */
  flush(): void {
    for (const [name, { listeners }] of this.#channels)
      this.#channels.set(name, { ...emptyChannel(), listeners });
  }

  #channel(name: string): ServerChannel {
    const channel = this.#channels.get(name) ?? emptyChannel();
    this.#channels.set(name, channel);
    return channel;
  }

  #nextPosition(channel: ServerChannel): Position {
    const epoch = channel.head.epoch === ORIGIN.epoch ? this.#newEpoch() : channel.head.epoch;
    channel.head = { epoch, seq: channel.head.seq + 1 };
    return channel.head;
  }

  /** Each epoch is higher than the previous one, even if the clock stands still, and after a `flush`. */
  #newEpoch(): number {
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, this.#clock.now());
    return this.#lastEpoch;
  }

  /** After the lease of an exclusive writer expires, nobody can publish until the next acquisition. */
  #checkFence(spec: ChannelSpec, channel: ServerChannel, token: FenceToken | undefined): void {
    const held = this.#heldLease(channel)?.token;
    const hasExclusiveWriter = spec.kind === 'state' || spec.kind === 'event';
    const isBlocked = held === undefined && hasExclusiveWriter && !channel.isReleased;
    if (held !== token || isBlocked) throw fencedError(spec, channel, token);
  }

  /** A repeated command is not routed again, so its outcome does not depend on the number of partitions. */
  #checkPartitions(spec: ChannelSpec, channel: ServerChannel, batch: readonly Outgoing[]): void {
    const { partitions } = channel;
    if (partitions === undefined || partitions === (spec.layout ?? 1)) return;
    if (batch.some((message) => findDuplicate(channel, message, this.#clock.monotonic()) === undefined))
      throw new PartitionsChangedError(spec, partitions);
  }

  #heldLease(channel: ServerChannel): ServerLease | undefined {
    if (channel.lease !== undefined && channel.lease.expiresAt <= this.#clock.monotonic())
      channel.lease = undefined;
    return channel.lease;
  }
}

function store(spec: ChannelSpec, channel: ServerChannel, message: Outgoing, kept: StoredEntry): void {
  if (spec.kind === 'state') storeLast(channel.last, message, kept);
  channel.history.store(spec, message.key, kept);
}

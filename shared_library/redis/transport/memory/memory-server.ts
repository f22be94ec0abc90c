// A server in this process: what Redis and our scripts do with a channel, without Redis.

import type { ChannelSpec } from '../../channel/channel.ts';
import { TickbusError } from '../../errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Unsubscribe } from '../../runtime/emitter.ts';
import { systemClock } from '../../runtime/system-clock.ts';
import { ORIGIN, type Position } from '../../wire/position.ts';
import { positioned } from '../../wire/position-prefix.ts';
import { countKeys, demandEntry } from '../demand-entries.ts';
import type {
  ChannelHead,
  ChannelState,
  EarlierPublish,
  FenceToken,
  LeaseAttempt,
  Outgoing,
  Receipt,
} from '../port.ts';

interface StoredMessage {
  readonly position: Position;
  readonly frame: Uint8Array;
}

/** `nobody` while the server waits for a holder that it may have forgotten. */
interface ServerLease {
  readonly token: FenceToken | 'nobody';
  expiresAt: number;
}

/** What Redis would hold of one channel. */
interface ServerChannel {
  head: Position;
  /** The last one given; 0 where nothing is known of any. */
  token: FenceToken;
  lease: ServerLease | undefined;
  /** Whether the last one given was given up; true where none was given. */
  isReleased: boolean;
  readonly last: Map<string, StoredMessage>;
  history: StoredMessage[];
  readonly ids: Map<string, { readonly published: EarlierPublish; readonly until: number }>;
  /** Claims, and by the monotonic clock until when they last. */
  readonly demand: Map<string, number>;
  readonly listeners: Set<(frame: Uint8Array) => void>;
}

/**
 * A server in memory. Connections made from one server see the same channels; every promise of the port is kept, and
 * the contract suite that Redis passes is run against it too.
 */
export class MemoryServer {
  readonly #clock: Clock;
  readonly #channels = new Map<string, ServerChannel>();
  #lastEpoch = ORIGIN.epoch;

  /** @param clock by which it stamps messages and ends leases; default: the system's */
  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  publish(
    spec: ChannelSpec,
    batch: readonly Outgoing[],
    token?: FenceToken,
    seen: Position = ORIGIN,
  ): Receipt {
    const channel = this.#channel(spec.name);
    this.#checkFence(spec, channel, token);
    if (spec.kind === 'plain') {
      const texts = batch.map(({ json }) => json);
      for (const frame of encodeFrames(spec, texts)) this.publishRaw(spec.name, frame);
      return { first: undefined, receivers: channel.listeners.size };
    }
    const { epoch, seq } = channel.head;
    if (epoch < seen.epoch || (epoch === seen.epoch && seq < seen.seq)) channel.head = ORIGIN;
    const at = this.#clock.now();
    const repeated = new Map<number, EarlierPublish | 'forgotten'>();
    const texts: string[] = [];
    let first: Position | undefined;
    for (const [index, message] of batch.entries()) {
      const before = this.#findDuplicate(channel, message);
      if (before !== undefined) {
        repeated.set(index, before);
        continue;
      }
      const position = this.#nextPosition(channel);
      first ??= position;
      const text = positioned(message.json, position, at);
      store(spec, channel, message, { position, frame: utf8.encode(text) });
      texts.push(text);
      this.#remember(channel, message, { position, receivers: channel.listeners.size });
    }
    for (const frame of encodeFrames(spec, texts)) this.publishRaw(spec.name, frame);
    const receipt = {
      first: first ?? { epoch: channel.head.epoch, seq: 0 },
      receivers: channel.listeners.size,
    };
    return repeated.size === 0 ? receipt : { ...receipt, repeated };
  }

  /** Publishes bytes as somebody without tickbus does; returns how many subscriptions they reached. */
  publishRaw(name: string, frame: Uint8Array): number {
    const { listeners } = this.#channel(name);
    for (const listener of [...listeners]) listener(frame);
    return listeners.size;
  }

  subscribe(name: string, onFrame: (frame: Uint8Array) => void): Unsubscribe {
    const { listeners } = this.#channel(name);
    const listener = (frame: Uint8Array) => onFrame(frame);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  read(spec: ChannelSpec, since: Position | undefined): ChannelState {
    const { last, history } = this.#channel(spec.name);
    const { position: head, ...now } = this.head(spec);
    const kept = spec.kind === 'state' ? [...last.values()] : history;
    const inEpoch = since?.epoch === head.epoch;
    const entries = kept
      .filter(({ position }) => !inEpoch || (position.epoch === head.epoch && position.seq > since.seq))
      .sort((a, b) => a.position.epoch - b.position.epoch || a.position.seq - b.position.seq)
      .map(({ frame }) => frame);
    return { position: head, entries, ...now };
  }

  head({ name }: ChannelSpec): ChannelHead {
    const channel = this.#channel(name);
    const token = this.#heldLease(channel)?.token;
    const lease = token === undefined || token === 'nobody' ? {} : { lease: token };
    return { position: channel.head, at: this.#clock.now(), ...lease };
  }

  acquire(name: string, ttlMs: number): LeaseAttempt {
    const channel = this.#channel(name);
    const held = this.#heldLease(channel);
    const expiresAt = this.#clock.monotonic() + ttlMs;
    if (held !== undefined) {
      const state = held.token === 'nobody' ? 'holding_off' : 'taken';
      return { state, leftMs: held.expiresAt - this.#clock.monotonic() };
    }
    const isSure = channel.token !== 0;
    channel.token = Math.max(channel.token + 1, this.#clock.now());
    if (isSure) channel.isReleased = false;
    channel.lease = { token: isSure ? channel.token : 'nobody', expiresAt };
    if (!isSure) return { state: 'holding_off', leftMs: ttlMs };
    channel.head = { epoch: this.#newEpoch(), seq: 0 };
    return { state: 'held', token: channel.token };
  }

  renew(name: string, token: FenceToken, ttlMs: number): boolean {
    const channel = this.#channel(name);
    const lease = this.#heldLease(channel);
    // One that has ended is given back where nobody was given it since.
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
    const ends = this.#clock.monotonic() + ttlMs;
    for (const key of keys) demand.set(demandEntry(subscriberId, key), ends);
  }

  withdraw(name: string, subscriberId: string, keys: readonly string[]): void {
    const { demand } = this.#channel(name);
    for (const key of keys) demand.delete(demandEntry(subscriberId, key));
  }

  wanted(name: string): ReadonlyMap<string, number> {
    const { demand } = this.#channel(name);
    for (const [claim, ends] of demand) if (ends <= this.#clock.monotonic()) demand.delete(claim);
    return countKeys(demand.keys());
  }

  /** Forgets everything but who listens, as a Redis without persistence does when it is restarted. */
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

  #findDuplicate(
    { ids, head }: ServerChannel,
    { idempotency }: Outgoing,
  ): EarlierPublish | 'forgotten' | undefined {
    const known = idempotency && ids.get(idempotency.id);
    if (known !== undefined && known.until > this.#clock.monotonic()) return known.published;
    return idempotency?.firstEpoch !== undefined && idempotency.firstEpoch !== head.epoch
      ? 'forgotten'
      : undefined;
  }

  #remember({ ids }: ServerChannel, { idempotency }: Outgoing, published: EarlierPublish): void {
    if (idempotency === undefined) return;
    const now = this.#clock.monotonic();
    // Oldest first; an id that outlives one behind it stays until then.
    for (const [id, { until }] of ids) {
      if (until > now) break;
      ids.delete(id);
    }
    ids.set(idempotency.id, { published, until: now + idempotency.rememberMs });
  }

  /** Grows even while the clock stands still, and over what `flush` forgot. */
  #newEpoch(): number {
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, this.#clock.now());
    return this.#lastEpoch;
  }

  /** A lease that lapsed on a channel with an exclusive writer keeps others out until it is released or taken again. */
  #checkFence(spec: ChannelSpec, channel: ServerChannel, token: FenceToken | undefined): void {
    const held = this.#heldLease(channel)?.token;
    const mayBeWritten = held === undefined && hasExclusiveWriter(spec) && !channel.isReleased;
    if (held !== token || mayBeWritten) throw fencedError(spec);
  }

  #heldLease(channel: ServerChannel): ServerLease | undefined {
    if (channel.lease !== undefined && channel.lease.expiresAt <= this.#clock.monotonic())
      channel.lease = undefined;
    return channel.lease;
  }
}

const utf8 = new TextEncoder();

function emptyChannel(): ServerChannel {
  return {
    head: ORIGIN,
    token: 0,
    isReleased: true,
    lease: undefined,
    last: new Map(),
    history: [],
    ids: new Map(),
    demand: new Map(),
    listeners: new Set(),
  };
}

/** What goes over the channel: each message, or all of them as one array. */
function encodeFrames({ framing }: ChannelSpec, texts: readonly string[]): Uint8Array[] {
  if (texts.length === 0) return [];
  return (framing === 'batch' ? [`[${texts.join(',')}]`] : texts).map((text) => utf8.encode(text));
}

function store(spec: ChannelSpec, channel: ServerChannel, message: Outgoing, kept: StoredMessage): void {
  if (spec.kind === 'state' && message.key !== undefined) channel.last.set(message.key, kept);
  if (spec.history === 0) return;
  channel.history.push(kept);
  if (channel.history.length > spec.history) channel.history.shift();
}

function fencedError({ name }: ChannelSpec): TickbusError {
  return new TickbusError(
    'TICKBUS_FENCED',
    `Nothing was published on ${name}: the caller does not hold its lease.`,
  );
}

function hasExclusiveWriter({ kind }: ChannelSpec): boolean {
  return kind === 'state' || kind === 'event';
}

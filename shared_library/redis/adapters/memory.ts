// The port with no network: a server in this process, for tests of bots and for running where no Redis is at hand.

import type { ChannelSpec } from '../core/channel.ts';
import { Emitter } from '../core/emitter.ts';
import type {
  ChannelState,
  Clock,
  Connection,
  FenceToken,
  LeaseOperations,
  Outgoing,
  Receipt,
  Transport,
  Unsubscribe,
} from '../core/ports.ts';
import { ORIGIN, type Position } from '../core/sequence.ts';
import type { LinkStatus } from '../core/status.ts';
import { TickbusError } from '../errors.ts';
import { systemClock } from './system-clock.ts';

interface Kept {
  readonly position: Position;
  readonly frame: Uint8Array;
}

interface Lease {
  readonly token: FenceToken;
  expiresAt: number;
}

/** What Redis would hold of one channel. */
interface ServerChannel {
  head: Position;
  token: FenceToken;
  lease: Lease | undefined;
  readonly last: Map<string, Kept>;
  history: Kept[];
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

  publish(spec: ChannelSpec, batch: readonly Outgoing[], fence: FenceToken | undefined): Receipt {
    const channel = this.#channel(spec.name);
    this.#checkFence(spec, channel, fence);
    const at = this.#clock.now();
    const first = spec.kind === 'plain' ? undefined : this.#number(channel, batch.length);
    const frames = batch.map((message, index) => {
      const position = first && { epoch: first.epoch, seq: first.seq + index };
      const frame = utf8.encode(position ? withPosition(message.json, position, at) : message.json);
      if (position !== undefined) keep(spec, channel, message, { position, frame });
      return frame;
    });
    for (const frame of frames) this.publishRaw(spec.name, frame);
    return { first, receivers: channel.listeners.size };
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
    const { head, last, history } = this.#channel(spec.name);
    const kept = spec.kind === 'state' ? [...last.values()] : history;
    const inEpoch = since?.epoch === head.epoch;
    const entries = kept
      .filter(({ position }) => !inEpoch || (position.epoch === head.epoch && position.seq > since.seq))
      .sort((a, b) => a.position.epoch - b.position.epoch || a.position.seq - b.position.seq)
      .map(({ frame }) => frame);
    return { position: head, entries };
  }

  acquire(name: string, ttlMs: number): FenceToken | undefined {
    const channel = this.#channel(name);
    if (this.#heldLease(channel) !== undefined) return undefined;
    const now = this.#clock.now();
    channel.token = Math.max(channel.token + 1, now);
    channel.head = { epoch: this.#newEpoch(), seq: 0 };
    channel.lease = { token: channel.token, expiresAt: this.#clock.monotonic() + ttlMs };
    return channel.token;
  }

  renew(name: string, token: FenceToken, ttlMs: number): boolean {
    const lease = this.#heldLease(this.#channel(name));
    if (lease?.token !== token) return false;
    lease.expiresAt = this.#clock.monotonic() + ttlMs;
    return true;
  }

  release(name: string, token: FenceToken): boolean {
    const channel = this.#channel(name);
    if (this.#heldLease(channel)?.token !== token) return false;
    channel.lease = undefined;
    return true;
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

  #number(channel: ServerChannel, count: number): Position {
    const epoch = channel.head.epoch === ORIGIN.epoch ? this.#newEpoch() : channel.head.epoch;
    const first = { epoch, seq: channel.head.seq + 1 };
    channel.head = { epoch, seq: channel.head.seq + count };
    return first;
  }

  /** Grows even while the clock stands still, and over what `flush` forgot. */
  #newEpoch(): number {
    this.#lastEpoch = Math.max(this.#lastEpoch + 1, this.#clock.now());
    return this.#lastEpoch;
  }

  #checkFence(spec: ChannelSpec, channel: ServerChannel, fence: FenceToken | undefined): void {
    if (this.#heldLease(channel)?.token !== fence) throw fenced(spec);
  }

  #heldLease(channel: ServerChannel): Lease | undefined {
    if (channel.lease !== undefined && channel.lease.expiresAt <= this.#clock.monotonic())
      channel.lease = undefined;
    return channel.lease;
  }
}

/**
 * Links to a MemoryServer. `disconnect()` and `reconnect()` stand for a network that fails, so that a bot's own tests can
 * see what it does then.
 */
export class MemoryConnection implements Connection {
  readonly publishing: MemoryTransport;
  readonly subscribing: MemoryTransport;

  constructor(server: MemoryServer) {
    this.publishing = new MemoryTransport(server);
    this.subscribing = new MemoryTransport(server);
  }

  disconnect(): void {
    this.publishing.disconnect();
    this.subscribing.disconnect();
  }

  reconnect(): void {
    this.publishing.reconnect();
    this.subscribing.reconnect();
  }

  async close(): Promise<void> {
    await Promise.all([this.publishing.close(), this.subscribing.close()]);
  }
}

/** A subscription of a link, which the server knows only while the link is up. */
interface LinkSubscription {
  readonly listen: () => Unsubscribe;
  end: Unsubscribe;
}

export class MemoryTransport implements Transport {
  readonly #server: MemoryServer;
  readonly #status = new Emitter<{ status: LinkStatus }>(() => {});
  readonly #subscriptions = new Set<LinkSubscription>();
  #state: 'new' | 'connected' | 'disconnected' | 'closed' = 'new';
  #generation = 0;

  constructor(server: MemoryServer) {
    this.#server = server;
  }

  async connect(): Promise<void> {
    if (this.#state === 'closed') throw closed();
    if (this.#state === 'new') this.#connected();
  }

  async publish(channel: ChannelSpec, batch: readonly Outgoing[], fence?: FenceToken): Promise<Receipt> {
    this.#assertConnected();
    return this.#server.publish(channel, batch, fence);
  }

  async subscribe({ name }: ChannelSpec, onFrame: (frame: Uint8Array) => void): Promise<Unsubscribe> {
    this.#assertConnected();
    const listen = () => this.#server.subscribe(name, (frame) => contain(() => onFrame(frame)));
    const subscription: LinkSubscription = { listen, end: listen() };
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      subscription.end();
    };
  }

  async read(channel: ChannelSpec, since?: Position): Promise<ChannelState> {
    this.#assertConnected();
    return this.#server.read(channel, since);
  }

  lease({ name }: ChannelSpec): LeaseOperations {
    const connected = <T>(operation: () => T) => {
      this.#assertConnected();
      return operation();
    };
    return {
      acquire: async (ttlMs) => connected(() => this.#server.acquire(name, ttlMs)),
      renew: async (token, ttlMs) => connected(() => this.#server.renew(name, token, ttlMs)),
      release: async (token) => connected(() => this.#server.release(name, token)),
    };
  }

  onStatus(listener: (status: LinkStatus) => void): Unsubscribe {
    return this.#status.on('status', listener);
  }

  /** The link goes down, as when the network fails. */
  disconnect(): void {
    if (this.#state !== 'connected') return;
    this.#state = 'disconnected';
    for (const { end } of this.#subscriptions) end();
    this.#status.emit('status', { type: 'disconnected', error: notConnected() });
  }

  /** The link comes back, with every subscription. */
  reconnect(): void {
    if (this.#state === 'disconnected') this.#connected();
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const { end } of this.#subscriptions) end();
    this.#status.emit('status', { type: 'closed' });
    this.#status.clear();
  }

  #connected(): void {
    this.#state = 'connected';
    for (const subscription of this.#subscriptions) subscription.end = subscription.listen();
    this.#status.emit('status', { type: 'connected', generation: ++this.#generation });
  }

  #assertConnected(): void {
    if (this.#state === 'closed') throw closed();
    if (this.#state !== 'connected') throw notConnected();
  }
}

const utf8 = new TextEncoder();

/** One subscriber's failure is not the publisher's, and not its neighbour's. The engine reports its own. */
function contain(action: () => void): void {
  try {
    action();
  } catch {}
}

function emptyChannel(): ServerChannel {
  return { head: ORIGIN, token: 0, lease: undefined, last: new Map(), history: [], listeners: new Set() };
}

/** The same bytes that the publish script makes. */
function withPosition(json: string, { epoch, seq }: Position, at: number): string {
  return `{"seq":${seq},"epoch":${epoch},"at":${at},${json.slice(1)}`;
}

function keep(spec: ChannelSpec, channel: ServerChannel, message: Outgoing, kept: Kept): void {
  if (spec.kind === 'state' && message.key !== undefined) channel.last.set(message.key, kept);
  if (spec.history === 0) return;
  channel.history.push(kept);
  if (channel.history.length > spec.history) channel.history.shift();
}

function fenced({ name }: ChannelSpec): TickbusError {
  return new TickbusError(
    'TICKBUS_FENCED',
    `Nothing was published on ${name}: the caller does not hold its lease.`,
  );
}

function notConnected(): TickbusError {
  return new TickbusError(
    'TICKBUS_NOT_CONNECTED',
    'The link is down, so nothing was sent. Try again when it is connected.',
  );
}

function closed(): TickbusError {
  return new TickbusError('TICKBUS_CLOSED', 'The connection was closed. Make a new one.');
}

// The transport port without a network: links to an in-memory server, for tests and for running without Redis.

import type { ChannelSpec } from '../../channel/channel.ts';
import { type SpecIn, specIn } from '../../channel/namespace.ts';
import { TickbusError } from '../../errors.ts';
import type { Unsubscribe } from '../../runtime/emitter.ts';
import { Emitter } from '../../runtime/emitter.ts';
import { nextTurn } from '../../runtime/turns.ts';
import { ORIGIN, type Position } from '../../wire/position.ts';
import type { Adoption, PlainMessage } from '../adoption-port.ts';
import { cancelledError } from '../cancelled-error.ts';
import { type DefiningBatch, type DefinitionEntry, DefinitionRecords } from '../definition-records.ts';
import type { DemandOperations } from '../demand-port.ts';
import type { HistoryPage, HistoryQuery } from '../history-port.ts';
import type { LinkStatus } from '../link-status.ts';
import type {
  ChannelHead,
  ChannelState,
  Connection,
  FenceToken,
  LeaseOperations,
  Outgoing,
  ReadOptions,
  Receipt,
  Transport,
} from '../port.ts';
import { OtherDefinition } from './definition.ts';
import type { MemoryServer } from './memory-server.ts';
import { MemoryWriter } from './memory-writer.ts';

/**
 * Links to a MemoryServer. `disconnect()` and `reconnect()` simulate a network failure in tests of bots.
 */
export class MemoryLinks implements Connection {
  readonly namespace: string | undefined;
  readonly publishing: MemoryTransport;
  readonly subscribing: MemoryTransport;

  constructor(server: MemoryServer, namespace?: string) {
    this.namespace = namespace;
    this.publishing = new MemoryTransport(server, specIn(namespace));
    this.subscribing = new MemoryTransport(server, specIn(namespace));
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

/** A subscription of a link, registered on the server only while the link is up. */
interface MemorySubscription {
  readonly listen: () => Unsubscribe;
  end: Unsubscribe;
}

export class MemoryTransport implements Transport {
  readonly #server: MemoryServer;
  /** Gives each channel its name on the server. */
  readonly #specIn: SpecIn;
  readonly #status = new Emitter<{ status: LinkStatus }>(() => {});
  readonly #subscriptions = new Set<MemorySubscription>();
  readonly #definitions = new DefinitionRecords();
  #state: 'new' | 'connected' | 'disconnected' | 'closed' = 'new';
  #generation = 0;

  constructor(server: MemoryServer, specIn: SpecIn) {
    this.#server = server;
    this.#specIn = specIn;
  }

  async connect(): Promise<void> {
    if (this.#state === 'closed') throw closedError();
    if (this.#state === 'new') this.#onConnected();
  }

  /** A memory server has no replicas, and is never replaced by one: every batch counts as confirmed. */
  async publish(
    channel: ChannelSpec,
    batch: readonly Outgoing[],
    token?: FenceToken,
    known: Position = ORIGIN,
  ): Promise<Receipt> {
    this.#assertConnected();
    const spec = this.#specIn(channel);
    const receipt = this.#publish({ channel: spec, batch, known }, token);
    // As over a network, a reply takes a turn of the event loop, so that a publishing loop does not starve others.
    await new Promise<void>(nextTurn);
    return receipt;
  }

  async adopt(channel: ChannelSpec, messages: readonly PlainMessage[]): Promise<readonly Adoption[]> {
    this.#assertConnected();
    return this.#server.adopt(this.#specIn(channel), messages);
  }

  async subscribe(
    channel: ChannelSpec,
    onFrame: (frame: Uint8Array) => void,
    isNamed = false,
  ): Promise<Unsubscribe> {
    this.#assertConnected();
    const { name } = this.#specIn(channel);
    const listen = () => this.#server.subscribe(name, (frame) => contain(() => onFrame(frame)), isNamed);
    const subscription: MemorySubscription = { listen, end: listen() };
    this.#subscriptions.add(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      subscription.end();
    };
  }

  async areListenersNamed(channel: ChannelSpec): Promise<boolean> {
    this.#assertConnected();
    return this.#server.areListenersNamed(this.#specIn(channel).name);
  }

  async read(channel: ChannelSpec, since?: Position, options?: ReadOptions): Promise<ChannelState> {
    this.#assertConnected();
    if (options?.signal?.aborted) throw cancelledError(channel);
    return this.#server.read(this.#specIn(channel), since, options?.keys);
  }

  async readHistory(channel: ChannelSpec, query: HistoryQuery): Promise<HistoryPage> {
    this.#assertConnected();
    return this.#server.readHistory(this.#specIn(channel), query);
  }

  async head(channel: ChannelSpec): Promise<ChannelHead> {
    this.#assertConnected();
    return this.#server.head(this.#specIn(channel));
  }

  async complain(channel: ChannelSpec, text: string): Promise<void> {
    this.#assertConnected();
    this.#server.complain(this.#specIn(channel), text);
  }

  async setPartitions(...[channel, ...others]: Parameters<Transport['setPartitions']>): Promise<number> {
    this.#assertConnected();
    return this.#server.setPartitions(this.#specIn(channel), ...others);
  }

  lease(channel: ChannelSpec): LeaseOperations {
    const { name, kind, definition } = this.#specIn(channel);
    const connected = this.#whileConnected;
    return {
      connect: () => this.connect(),
      acquire: async (ttlMs) =>
        connected(() => {
          const attempt = this.#server.acquire(name, ttlMs, definition);
          if (attempt.state !== 'held' || kind === 'plain' || kind === 'command') return attempt;
          return { ...attempt, writer: new MemoryWriter(this, channel, attempt.token) };
        }),
      renew: async (token, ttlMs) => connected(() => this.#server.renew(name, token, ttlMs)),
      release: async (token) => connected(() => this.#server.release(name, token)),
      onConnected: (listener) =>
        this.onStatus(({ type }) => {
          if (type === 'connected') listener();
        }),
      close: async () => {},
    };
  }

  demand(channel: ChannelSpec): DemandOperations {
    const { name } = this.#specIn(channel);
    const connected = this.#whileConnected;
    return {
      declare: async (subscriberId, keys, ttlMs) =>
        connected(() => this.#server.declare(name, subscriberId, keys, ttlMs)),
      withdraw: async (subscriberId, keys) =>
        connected(() => this.#server.withdraw(name, subscriberId, keys)),
      wanted: async () => connected(() => this.#server.wanted(name)),
    };
  }

  onStatus(listener: (status: LinkStatus) => void): Unsubscribe {
    return this.#status.on('status', listener);
  }

  get isConnected(): boolean {
    return this.#state === 'connected';
  }

  /** Simulates a network failure. */
  disconnect(): void {
    if (this.#state !== 'connected') return;
    this.#state = 'disconnected';
    for (const { end } of this.#subscriptions) end();
    this.#status.emit('status', { type: 'disconnected', error: notConnectedError() });
  }

  /** Restores the link and all subscriptions. */
  reconnect(): void {
    if (this.#state === 'disconnected') this.#onConnected();
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const { end } of this.#subscriptions) end();
    this.#status.emit('status', { type: 'closed' });
    this.#status.clear();
  }

  #publish(batch: DefiningBatch, token: FenceToken | undefined): Receipt {
    const { channel, batch: messages, known } = batch;
    const send = (entry?: DefinitionEntry) =>
      this.#definitions.record(batch, entry, this.#server.publish(channel, messages, token, known, entry));
    const entry = this.#definitions.entryFor(batch);
    try {
      return send(entry);
    } catch (error) {
      if (entry === undefined || !(error instanceof OtherDefinition)) throw error;
      return send(this.#definitions.replacing(entry, channel, error.recorded));
    }
  }

  readonly #whileConnected = <T>(operation: () => T): T => {
    this.#assertConnected();
    return operation();
  };

  #onConnected(): void {
    this.#state = 'connected';
    for (const subscription of this.#subscriptions) subscription.end = subscription.listen();
    this.#status.emit('status', { type: 'connected', generation: ++this.#generation });
  }

  #assertConnected(): void {
    if (this.#state === 'closed') throw closedError();
    if (this.#state !== 'connected') throw notConnectedError();
  }
}

/**
 * Keeps an exception of one subscriber from the publisher and other subscribers. The library reports its own errors.
 */
function contain(action: () => void): void {
  try {
    action();
  } catch {}
}

function notConnectedError(): TickbusError {
  return new TickbusError(
    'TICKBUS_NOT_CONNECTED',
    'The link is down, so nothing was sent. Retry when it is connected.',
  );
}

function closedError(): TickbusError {
  return new TickbusError('TICKBUS_CLOSED', 'The connection was closed. Create a new one.');
}

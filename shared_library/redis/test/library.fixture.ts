// Shared by the library tests: channels, payloads, raw frames, and transports with faults.

import { RecordingLogger } from '@tickbus/test-kit';
import { z } from 'zod';
import { type Channel, defineChannel } from '../channel/channel.ts';
import { PublisherBase, type PublisherSettings } from '../publish/publisher-base.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import type { ExpiredMessage, HandlerError, InvalidMessage } from '../subscribe/reports.ts';
import type { Gap, SubscriberStatus } from '../subscribe/status.ts';
import { SubscriberBase } from '../subscribe/subscriber-base.ts';
import { MemoryConnection } from '../testing.ts';
import type { LinkStatus } from '../transport/link-status.ts';
import type { MemoryLinks as Links } from '../transport/memory/memory-links.ts';
import { MemoryServer } from '../transport/memory/memory-server.ts';
import type {
  ChannelHead,
  ChannelState,
  DemandOperations,
  LeaseOperations,
  Outgoing,
  Receipt,
  Transport,
} from '../transport/port.ts';
import type { Envelope } from '../wire/envelope.ts';
import { ORIGIN, type Position } from '../wire/position.ts';

const tick = z.object({ symbol: z.string(), price: z.number() });
const note = z.object({ n: z.number() });

/** Kind `state`, keyed by symbol. */
export const PRICES = defineChannel('PRICES', { kind: 'state', key: 'symbol', messages: { tick } });
/** Kind `event`, with a history of ten. */
export const FILLS = defineChannel('FILLS', { kind: 'event', history: 10, messages: { note } });
/** Kind `event`, without history, with two message types. */
export const ALERTS = defineChannel('ALERTS', {
  kind: 'event',
  messages: { note, alarm: z.object({ n: z.number(), level: z.string() }) },
});
export const COMMANDS = defineChannel('COMMANDS', {
  kind: 'command',
  expiresInMs: 1_000,
  messages: { note },
});
/** Kind `plain`. */
export const CHAT = defineChannel('CHAT', { kind: 'plain', messages: { note } });

const utf8 = new TextEncoder();

/** The JSON of a document as bytes on the wire. */
export function frameOf(document: unknown): Uint8Array {
  return utf8.encode(JSON.stringify(document));
}

/** The envelope of a `note`, with or without a position. */
export function noteEnvelope(n: number, position?: Position): Envelope {
  return { ...position, message_type: 'note', data: { n }, timestamp: 1, sender: 'test' };
}

/** A transport controlled by its `on...` fields; by default every call succeeds and nothing is stored. */
export class FakeTransport implements Transport {
  readonly published: (readonly Outgoing[])[] = [];
  readonly reads: (Position | undefined)[] = [];
  heads = 0;
  onPublish: (batch: readonly Outgoing[], seen?: Position) => Promise<Receipt> = async () => ({
    first: { epoch: 1, seq: 1 },
    receivers: 0,
  });
  onRead: (since: Position | undefined) => Promise<ChannelState> = async () => ({
    position: ORIGIN,
    at: 0,
    entries: [],
  });
  onHead: () => Promise<ChannelHead> = () => this.onRead(undefined);
  onSubscribe: () => Promise<void> = async () => {};
  #onFrame: (frame: Uint8Array) => void = () => {};
  #onStatus: (status: LinkStatus) => void = () => {};

  async connect(): Promise<void> {}

  publish(_channel: unknown, batch: readonly Outgoing[], _token?: number, seen?: Position): Promise<Receipt> {
    this.published.push(batch);
    return this.onPublish(batch, seen);
  }

  async subscribe(_channel: unknown, onFrame: (frame: Uint8Array) => void): Promise<Unsubscribe> {
    await this.onSubscribe();
    this.#onFrame = onFrame;
    return () => {
      this.#onFrame = () => {};
    };
  }

  read(_channel: unknown, since?: Position): Promise<ChannelState> {
    this.reads.push(since);
    return this.onRead(since);
  }

  head(_channel: unknown): Promise<ChannelHead> {
    this.heads++;
    return this.onHead();
  }

  lease(): LeaseOperations {
    throw new Error('FakeTransport has no leases.');
  }

  demand(_channel: unknown): DemandOperations {
    throw new Error('FakeTransport has no demand.');
  }

  onStatus(listener: (status: LinkStatus) => void): Unsubscribe {
    this.#onStatus = listener;
    return () => {};
  }

  async close(): Promise<void> {}

  /** Delivers a message. */
  push(document: unknown): void {
    this.#onFrame(frameOf(document));
  }

  /** Reports a link status. */
  emitStatus(status: LinkStatus): void {
    this.#onStatus(status);
  }
}

/** A subscribing link that drops the messages selected by `drops`. */
class LossyTransport extends FakeTransport {
  drops: (envelope: Envelope) => boolean = () => false;
  readonly #inner: Transport;

  constructor(inner: Transport) {
    super();
    this.#inner = inner;
  }

  override connect(): Promise<void> {
    return this.#inner.connect();
  }

  override subscribe(...[channel, onFrame]: Parameters<Transport['subscribe']>): Promise<Unsubscribe> {
    return this.#inner.subscribe(channel, (frame) => {
      if (!this.#loses(frame)) onFrame(frame);
    });
  }

  #loses(frame: Uint8Array): boolean {
    let envelope: Envelope;
    try {
      envelope = JSON.parse(new TextDecoder().decode(frame));
    } catch {
      return false;
    }
    return this.drops(envelope);
  }

  override read(...args: Parameters<Transport['read']>): Promise<ChannelState> {
    this.reads.push(args[1]);
    return this.#inner.read(...args);
  }

  override head(...args: Parameters<Transport['head']>): Promise<ChannelHead> {
    this.heads++;
    return this.#inner.head(...args);
  }

  override demand(...args: Parameters<Transport['demand']>): DemandOperations {
    return this.#inner.demand(...args);
  }

  override onStatus(listener: (status: LinkStatus) => void): Unsubscribe {
    return this.#inner.onStatus(listener);
  }
}

/** A publisher and a subscriber on an in-memory server, with a manual clock and every report recorded. */
export class PubSubHarness {
  readonly clock = new ManualClock();
  readonly server = new MemoryServer(this.clock);
  readonly connection: Links = new MemoryConnection({ server: this.server });
  readonly link = new LossyTransport(this.connection.subscribing);
  readonly logger = new RecordingLogger();
  readonly publisher: PublisherBase;
  readonly subscriber: SubscriberBase;
  readonly statuses: SubscriberStatus[] = [];
  readonly invalid: InvalidMessage[] = [];
  readonly handlerErrors: HandlerError[] = [];
  readonly expired: ExpiredMessage[] = [];

  constructor(settings: Partial<PublisherSettings> = {}) {
    const { clock, logger } = this;
    this.publisher = new PublisherBase({
      transport: this.connection.publishing,
      clock,
      sender: 'bench',
      ...settings,
    });
    this.subscriber = new SubscriberBase({ transport: this.link, clock, logger });
    this.subscriber.on('status', (status) => this.statuses.push(status));
    this.subscriber.on('invalid_message', (report) => this.invalid.push(report));
    this.subscriber.on('handler_error', (report) => this.handlerErrors.push(report));
    this.subscriber.on('expired', (report) => this.expired.push(report));
  }

  get gaps(): Gap[] {
    return this.statuses.filter((status) => status.type === 'gap');
  }

  /** Publishes one `note` after the other, each in its own call. */
  async publishNotes(
    channel: typeof FILLS | typeof ALERTS | typeof COMMANDS | typeof CHAT,
    ...numbers: number[]
  ) {
    for (const n of numbers) await this.publisher.publish(channel, { n }, { type: 'note' });
  }

  /** Another process takes the lease of a channel after the hold-off, and releases it. */
  async acquireAndReleaseLease({ name }: Channel): Promise<void> {
    for (let attempt = this.server.acquire(name, 1); ; attempt = this.server.acquire(name, 1)) {
      if (attempt.state === 'held') return void this.server.release(name, attempt.token);
      await this.clock.advance(attempt.leftMs);
    }
  }

  async publishPrice(symbol: string, price: number): Promise<void> {
    await this.publisher.publish(PRICES, { symbol, price });
  }
}

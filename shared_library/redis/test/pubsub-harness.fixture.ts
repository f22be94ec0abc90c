// A publisher and a subscriber on an in-memory server, connected by a link that can drop messages.

import { RecordingLogger } from '@tickbus/test-kit';
import type { Channel } from '../channel/channel.ts';
import { PublisherBase, type PublisherSettings } from '../publish/publisher-base.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import type { ExpiredMessage, HandlerError, InvalidMessage } from '../subscribe/reports.ts';
import type { Forged, Gap, SubscriberStatus } from '../subscribe/status.ts';
import { SubscriberBase } from '../subscribe/subscriber-base.ts';
import { MemoryConnection } from '../testing.ts';
import type { DemandOperations } from '../transport/demand-port.ts';
import type { HistoryPage } from '../transport/history-port.ts';
import type { LinkStatus } from '../transport/link-status.ts';
import type { MemoryLinks } from '../transport/memory/memory-links.ts';
import { MemoryServer } from '../transport/memory/memory-server.ts';
import type { ChannelHead, ChannelState, Transport } from '../transport/port.ts';
import type { Envelope } from '../wire/envelope.ts';
import { type ALERTS, type CHAT, type COMMANDS, type FILLS, PRICES } from './channels.fixture.ts';
import { FakeTransport } from './fake-transport.fixture.ts';

/** A subscribing link that drops the messages selected by `drops`. */
class LossyTransport extends FakeTransport {
  drops: (envelope: Envelope) => boolean = () => false;
  /** The keys of each read. */
  readonly readKeys: (ReadonlySet<string> | undefined)[] = [];
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
    this.readKeys.push(args[2]?.keys);
    return this.#inner.read(...args);
  }

  override readHistory(...args: Parameters<Transport['readHistory']>): Promise<HistoryPage> {
    return this.#inner.readHistory(...args);
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
  readonly connection: MemoryLinks = new MemoryConnection({ server: this.server });
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

  get forged(): Forged[] {
    return this.statuses.filter((status) => status.type === 'forged');
  }

  /** Publishes one `note` after the other, each in its own call. */
  async publishNotes(
    channel: typeof FILLS | typeof ALERTS | typeof COMMANDS | typeof CHAT,
    ...numbers: number[]
  ) {
    for (const n of numbers) await this.publisher.publish(channel, { n }, { type: 'note' });
  }

  /** Acts as another process that takes the lease of a channel after the hold-off, and releases it. */
  async acquireAndReleaseLease({ name }: Channel): Promise<void> {
    for (let attempt = this.server.acquire(name, 1); ; attempt = this.server.acquire(name, 1)) {
      if (attempt.state === 'held') return void this.server.release(name, attempt.token);
      await this.clock.advance(attempt.leftMs);
    }
  }

  async publishPrice(symbol: string, price: number): Promise<void> {
    await this.publisher.publish(PRICES, { symbol, price });
  }

  /** Publishes one price after the other, each in its own call. */
  async publishPrices(...prices: readonly (readonly [symbol: string, price: number])[]): Promise<void> {
    for (const [symbol, price] of prices) await this.publishPrice(symbol, price);
  }
}

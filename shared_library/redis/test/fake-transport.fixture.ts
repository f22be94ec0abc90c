// A transport that a test controls, and a subscriber on it.

import { RecordingLogger } from '@tickbus/test-kit';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { ManualClock } from '../runtime/manual-clock.ts';
import { SubscriberBase } from '../subscribe/subscriber-base.ts';
import type { DemandOperations } from '../transport/demand-port.ts';
import type { HistoryPage } from '../transport/history-port.ts';
import type { LinkStatus } from '../transport/link-status.ts';
import type {
  ChannelHead,
  ChannelState,
  LeaseOperations,
  Outgoing,
  Receipt,
  Transport,
} from '../transport/port.ts';
import { ORIGIN, type Position } from '../wire/position.ts';
import { frameOf, receiptAt } from './channels.fixture.ts';

/** A transport controlled by its `on...` fields. By default publish, subscribe and read succeed and store nothing. */
export class FakeTransport implements Transport {
  readonly published: (readonly Outgoing[])[] = [];
  readonly reads: (Position | undefined)[] = [];
  heads = 0;
  onPublish: (batch: readonly Outgoing[], seen?: Position) => Promise<Receipt> = async () => receiptAt(1);
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

  async adopt(): Promise<never[]> {
    return [];
  }

  async areListenersNamed(_channel: unknown): Promise<undefined> {}

  async readHistory(..._: Parameters<Transport['readHistory']>): Promise<HistoryPage> {
    return { position: ORIGIN, partitions: undefined, isForgotten: false, entries: [], extent: 'end' };
  }

  head(_channel: unknown): Promise<ChannelHead> {
    this.heads++;
    return this.onHead();
  }

  async complain(): Promise<void> {}

  async setPartitions(_channel: unknown, partitions: number): Promise<number> {
    return partitions;
  }

  lease(): LeaseOperations {
    throw new Error('FakeTransport does not support leases.');
  }

  demand(_channel: unknown): DemandOperations {
    throw new Error('FakeTransport does not support demand.');
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

/** A subscriber on a FakeTransport, with a manual clock. */
export function fakeSubscriber() {
  const transport = new FakeTransport();
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  return { transport, clock, logger, subscriber: new SubscriberBase({ transport, clock, logger }) };
}

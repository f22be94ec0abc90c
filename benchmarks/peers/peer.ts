// A participant of the benchmarks: a publisher, a subscriber and the server between them.

import type { BookEnvelopeData } from '../book.ts';
import type { BenchmarkTick } from '../ticks.ts';

export type ServerName = 'redis' | 'redis-cluster' | 'nats' | 'mosquitto';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Ticks in most workloads; order books of a given size for the cost by message size. */
export type PeerPayload = BenchmarkTick | BookEnvelopeData;

export interface PublisherSide {
  /**
   * Publishes one message. The promise settles when the message is sent, according to the documentation of the peer. A
   * peer without promises has `flush`, which is awaited after each group of messages.
   */
  publish(payload: PeerPayload): PromiseLike<unknown> | undefined;
  flush?(): Promise<unknown>;
  close(): Promise<void>;
}

export interface SubscriberSide {
  close(): Promise<void>;
}

/** Called with the parsed and validated payload. `merged` counts the older messages conflated into it. */
export type OnPayload = (payload: PeerPayload, merged: number) => void;

export interface Peer {
  readonly server: ServerName;
  /** A separate process between server and subscribers, for peers that have one in production. */
  relay?(server: Address, relayPort: number): Promise<SubscriberSide>;
  publisher(server: Address, channel: ChannelName): Promise<PublisherSide>;
  /** @param keys the instruments to receive; undefined: all */
  subscriber(
    server: Address,
    channel: ChannelName,
    onPayload: OnPayload,
    keys?: readonly string[],
  ): Promise<SubscriberSide>;
}

/** `price` carries ticks, `book` order books. */
export type ChannelName = 'price' | 'book';

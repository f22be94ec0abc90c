// What a participant of the benchmarks is: a way to publish ticks, a way to receive them, and the server between.

import type { BookEnvelopeData } from '../book.ts';
import type { Tick } from '../ticks.ts';

export type ServerName = 'redis' | 'nats' | 'mosquitto';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What is carried: ticks in most workloads, order books of a wanted size where the cost by size is measured. */
export type PeerPayload = Tick | BookEnvelopeData;

export interface PublisherSide {
  /**
   * Hands over one message. A promise settles when the peer's own documentation says that the message is out; where it returns
   * none, `flush` is awaited after each window.
   */
  publish(payload: PeerPayload): PromiseLike<unknown> | undefined;
  flush?(): Promise<unknown>;
  close(): Promise<void>;
}

export interface SubscriberSide {
  close(): Promise<void>;
}

/** Called with what was parsed and validated; `merged` is how many older messages it stands for (conflation). */
export type OnPayload = (payload: PeerPayload, merged: number) => void;

export interface Peer {
  readonly server: ServerName;
  /** A process of its own between server and subscribers, for peers that have one in life. */
  relay?(server: Address, relayPort: number): Promise<SubscriberSide>;
  publisher(server: Address, channel: ChannelName): Promise<PublisherSide>;
  subscriber(server: Address, channel: ChannelName, onPayload: OnPayload): Promise<SubscriberSide>;
}

/** `price` carries ticks, `book` order books. */
export type ChannelName = 'price' | 'book';

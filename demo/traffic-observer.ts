// Sees everything that is on the bus, and takes part in nothing.

import type { Connection, FeedStatus, Logger, Position } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import type { CommandMessage, PriceMessage } from './messages.ts';

/** The first price of a gateway that has taken over. */
export interface Takeover {
  /** When it was seen, by `performance.now()`. */
  readonly at: number;
}

/** What is published is counted by the numbers that Redis gives: each gateway's prices are an epoch of their own. */
export class TrafficObserver {
  readonly #connection: Connection;
  readonly #subscriber: RedisSubscriber;
  /** The highest number of each epoch. */
  readonly #lastSeqs = new Map<number, number>();
  #epoch = 0;
  #staleCount = 0;
  #feed: FeedStatus | undefined;
  #onTakeover: ((nextTakeover: Takeover) => void)[] = [];

  constructor(connection: Connection, logger: Logger, onCommand: (message: CommandMessage) => void) {
    this.#connection = connection;
    this.#subscriber = new RedisSubscriber({ connection, logger });
    // Every price as it arrives: a slow handler gets only the newest of each symbol.
    this.#subscriber.tap(CHANNELS.PRICE_DATA, ({ message, delivery }) => {
      if (delivery !== 'snapshot') this.#record(message);
    });
    this.#subscriber.subscribe(CHANNELS.TRADE_COMMANDS, onCommand);
    this.#subscriber.subscribe(CHANNELS.FEED_STATUS, ({ data, snapshot }) => {
      if (!snapshot) this.#feed = data;
    });
  }

  start(): Promise<void> {
    return this.#subscriber.startListening();
  }

  /** What the gateway last told of its feed. */
  get feed(): FeedStatus | undefined {
    return this.#feed;
  }

  get published(): number {
    return [...this.#lastSeqs.values()].reduce((sum, top) => sum + top, 0);
  }

  /** Prices of a gateway that came after the first one of its successor. */
  get acceptedFromOldHolder(): number {
    return this.#staleCount;
  }

  /** The next time that a gateway takes over. */
  takeOver(): Promise<Takeover> {
    return new Promise((resolve) => this.#onTakeover.push(resolve));
  }

  /** Where the channel ends, once everything up to there is counted: what it reads comes after it, on the same connection. */
  async readEnd(): Promise<Position> {
    const { position } = await this.#connection.subscribing.read(CHANNELS.PRICE_DATA);
    return position;
  }

  close(): Promise<void> {
    return this.#subscriber.close();
  }

  #record({ epoch = 0, seq = 0 }: PriceMessage): void {
    this.#lastSeqs.set(epoch, Math.max(seq, this.#lastSeqs.get(epoch) ?? 0));
    if (epoch < this.#epoch) this.#staleCount++;
    if (epoch <= this.#epoch) return;
    const isFirst = this.#epoch === 0;
    this.#epoch = epoch;
    if (isFirst) return;
    for (const tell of this.#onTakeover.splice(0)) tell({ at: performance.now() });
  }
}

// Observes the traffic of the demo without publishing.

import type { PriceMessage } from '@tickbus/sample-bots/bot';
import type { Connection, FeedStatus, Logger, MessageOf, Position } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';

export type CommandMessage = MessageOf<typeof CHANNELS.TRADE_COMMANDS>;

/** The first price of a new lease holder. */
export interface Takeover {
  /** Arrival time, by `performance.now()`. */
  readonly at: number;
}

/** Counts published prices by their sequence numbers. Each takeover starts a new epoch with new sequence numbers. */
export class TrafficObserver {
  readonly #connection: Connection;
  readonly #subscriber: RedisSubscriber;
  /** Highest sequence number by epoch. */
  readonly #lastSeqs = new Map<number, number>();
  #epoch = 0;
  #staleCount = 0;
  #feed: FeedStatus | undefined;
  #onTakeover: ((takeover: Takeover) => void)[] = [];

  constructor(connection: Connection, logger: Logger, onCommand: (message: CommandMessage) => void) {
    this.#connection = connection;
    this.#subscriber = new RedisSubscriber({ connection, logger });
    // A tap sees every price; a slow handler would see only the newest of each symbol.
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

  /** Last status of the feed. */
  get feed(): FeedStatus | undefined {
    return this.#feed;
  }

  get published(): number {
    return [...this.#lastSeqs.values()].reduce((sum, top) => sum + top, 0);
  }

  /** Prices of a former lease holder that arrived after the first price of its successor. */
  get acceptedFromOldHolder(): number {
    return this.#staleCount;
  }

  /** Resolves at the next takeover. */
  nextTakeover(): Promise<Takeover> {
    return new Promise((resolve) => this.#onTakeover.push(resolve));
  }

  /** Returns the last position. By then all earlier prices are counted: the read uses the subscriber's connection. */
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
    for (const resolve of this.#onTakeover.splice(0)) resolve({ at: performance.now() });
  }
}

// Observes the traffic of the demo without publishing.

import type { Connection, FeedStatus, Logger, MessageOf, Position } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { LossCheck } from './loss-check.ts';

export type PriceMessage = MessageOf<typeof CHANNELS.PRICE_DATA>;
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
  readonly losses = new LossCheck();
  #epoch = 0;
  #epochSince = 0;
  #staleCount = 0;
  #feed: FeedStatus | undefined;
  #onTakeover: ((takeover: Takeover) => void)[] = [];

  constructor(connection: Connection, logger: Logger, onCommand: (message: CommandMessage) => void) {
    this.#connection = connection;
    // A listener without a name would hide from `tickbus cmd` that nobody else listens.
    this.#subscriber = new RedisSubscriber({ connection, logger, name: 'demo-observer' });
    // A tap sees every price; a slow handler would see only the newest of each symbol.
    this.#subscriber.tap(CHANNELS.PRICE_DATA, ({ message, delivery }) => {
      if (delivery !== 'snapshot') this.#record(message);
    });
    this.#subscriber.on('gap', (gap) => {
      if (gap.channel === CHANNELS.PRICE_DATA.name) this.losses.onGap(gap);
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

  /** The newest epoch of prices; 0 before the first price. */
  get epoch(): number {
    return this.#epoch;
  }

  /** When the first price of the newest epoch arrived, by `performance.now()`. */
  get epochSince(): number {
    return this.#epochSince;
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
    this.losses.onPrice({ epoch, seq });
    this.#lastSeqs.set(epoch, Math.max(seq, this.#lastSeqs.get(epoch) ?? 0));
    if (epoch < this.#epoch) this.#staleCount++;
    if (epoch <= this.#epoch) return;
    const isFirst = this.#epoch === 0;
    this.#epoch = epoch;
    this.#epochSince = performance.now();
    if (isFirst) return;
    for (const resolve of this.#onTakeover.splice(0)) resolve({ at: this.#epochSince });
  }
}

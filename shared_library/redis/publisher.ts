// RedisPublisher: joins the publishing engine to Redis.

import { systemClock } from './adapters/system-clock.ts';
import { type ConnectionOptions, connectionFrom, defaultSender } from './connection.ts';
import type { Clock, Connection, Fence } from './core/ports.ts';
import { Publisher } from './engine/publisher.ts';

export type { Published, PublishOptions } from './engine/publisher.ts';

export type RedisPublisherOptions = ConnectionOptions & {
  /** The `sender` of every message. Default: host name and process number. */
  sender?: string | undefined;
  /** Milliseconds until a publish settles at the latest, once connected. Default 2,000. */
  deadlineMs?: number | undefined;
  /** The most bytes of messages that may wait for their turn on one channel. Default 32 MiB. */
  maxPendingBytes?: number | undefined;
  /** The lease of a channel (`RedisLease`): only while it is held is anything published there. Default: none. */
  lease?: Fence | undefined;
  /** The time, for tests. Default: the system's. */
  clock?: Clock | undefined;
};

/**
 * Publishes messages on channels.
 *
 * @example
 * const publisher = new RedisPublisher({ host: CONFIG.HOST, port: CONFIG.PORT });
 * await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 50000.0, timestamp: 1650123456 });
 */
export class RedisPublisher extends Publisher {
  readonly #connection: Connection;
  readonly #ownsConnection: boolean;

  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for options, or an environment, that cannot be used */
  constructor(options: RedisPublisherOptions = {}) {
    const { sender, clock, lease, deadlineMs, maxPendingBytes } = options;
    const { connection, isOwned } = connectionFrom(options);
    super({
      transport: connection.publishing,
      clock: clock ?? systemClock,
      sender: sender ?? defaultSender(),
      ...(lease === undefined ? {} : { lease }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(maxPendingBytes === undefined ? {} : { maxPendingBytes }),
    });
    this.#connection = connection;
    this.#ownsConnection = isOwned;
  }

  override async close(): Promise<void> {
    await super.close();
    if (this.#ownsConnection) await this.#connection.close();
  }
}

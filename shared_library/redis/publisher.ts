// RedisPublisher: joins the publishing engine to Redis.

import { type ConnectionOptions, connectionFrom, defaultSender } from './connection.ts';
import { PublisherBase } from './publish/publisher-base.ts';
import type { Clock } from './runtime/clock.ts';
import { systemClock } from './runtime/system-clock.ts';
import type { Connection, Fence } from './transport/port.ts';

export type { Published, PublishOptions } from './publish/publisher-base.ts';

export type RedisPublisherOptions = ConnectionOptions & {
  /** The `sender` of every message. Default: host name and process number. */
  sender?: string | undefined;
  /** Milliseconds until a publish settles at the latest, once connected. Default 2,000. */
  deadlineMs?: number | undefined;
  /** The most bytes of messages that may wait for their turn on one channel. Default 32 MiB. */
  maxPendingBytes?: number | undefined;
  /** The lease of a channel (`RedisLease`): only while it is held is anything published there. Default: none. */
  lease?: Fence | undefined;
  /**
   * Whether a payload is checked before it is sent, against its schema and for values that JSON cannot carry. Default true.
   *
   * `false` is for payloads that tested code makes; it saves the publisher CPU, most on large messages. The price: a wrong payload is
   * published, and `publish` resolves.
   *
   * - `JSON.stringify` decides what is sent: NaN and Infinity become null, a Map becomes {}, a function is left out.
   * - Subscribers still validate. They drop the message and report `invalid_message`, so its value is lost to them. A name such as
   *   `__proto__` hides the message's position, too, so they catch up as after a loss.
   * - On a `state` channel it replaces the last value of its key, so late joiners have none for that key.
   * - Plain clients receive it as it is.
   *
   * The header, the message type, the key and the size limit are checked either way.
   */
  validate?: boolean | undefined;
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
export class RedisPublisher extends PublisherBase {
  readonly #connection: Connection;
  readonly #ownsConnection: boolean;

  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for options, or an environment, that cannot be used */
  constructor(options: RedisPublisherOptions = {}) {
    const { sender, clock, lease, deadlineMs, maxPendingBytes, validate } = options;
    const { connection, isOwned } = connectionFrom(options);
    super({
      transport: connection.publishing,
      clock: clock ?? systemClock,
      sender: sender ?? defaultSender(),
      ...(lease === undefined ? {} : { lease }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(maxPendingBytes === undefined ? {} : { maxPendingBytes }),
      ...(validate === undefined ? {} : { validate }),
    });
    this.#connection = connection;
    this.#ownsConnection = isOwned;
  }

  override async close(): Promise<void> {
    await super.close();
    if (this.#ownsConnection) await this.#connection.close();
  }
}

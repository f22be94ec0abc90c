// A gateway's status, a price, a bot and a lease on one server in memory, on the system clock.

import { silentLogger } from '@tickbus/test-kit';
import { type Bot, defineBot } from '../../bot.ts';
import { CHANNELS } from '../../constants.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection } from '../../testing.ts';

/** A long interval, so that the heartbeat stays valid. */
const HEARTBEAT = { feed: 'test', state: 'live', interval_ms: 600_000, last_frame_ago_ms: 0 } as const;

export class SystemClockDesk implements AsyncDisposable {
  readonly connection = new MemoryConnection();
  readonly #shared = { connection: this.connection, logger: silentLogger };
  readonly publisher = new RedisPublisher(this.#shared);
  readonly subscriber = new RedisSubscriber(this.#shared);
  readonly bot: Bot = defineBot({ ...this.#shared, name: 'momentum' });
  readonly lease = new RedisLease({ ...this.#shared, channel: CHANNELS.TRADES, ttlMs: 3_000 });
  readonly statuses: string[] = [];
  readonly leaseEvents: string[] = [];

  /** A listening subscriber, a running bot, and a price. */
  static async open(): Promise<SystemClockDesk> {
    const desk = new SystemClockDesk();
    desk.subscriber.subscribe(CHANNELS.PRICE_DATA, () => {});
    desk.subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data }) => void desk.statuses.push(data.state));
    desk.lease.on('gained', () => desk.leaseEvents.push('gained'));
    desk.lease.on('lost', ({ reason }) => desk.leaseEvents.push(reason));
    await desk.subscriber.startListening();
    await desk.bot.start();
    await desk.publisher.publish(CHANNELS.FEED_STATUS, HEARTBEAT);
    await desk.publishPrice();
    return desk;
  }

  async publishPrice(): Promise<void> {
    await this.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 1, timestamp: 0 });
  }

  verdict(maxAgeMs = 3_000): string {
    return this.subscriber.latest(CHANNELS.PRICE_DATA, 'AAPL', { maxAgeMs }).verdict;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lease.close();
    await this.bot.stop();
    await this.subscriber.close();
    await this.publisher.close();
  }
}

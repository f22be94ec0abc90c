// A desk in memory for the tests of bots: prices, a gateway's heartbeat, asks, and all that bots publish.

import { silentLogger } from '@tickbus/test-kit';
import { expect } from 'vitest';
import { type Bot, type BotOverrides, defineBot } from '../../bot.ts';
import type { BotStatus } from '../../channel/schemas/bot-status.ts';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection } from '../../testing.ts';
import type { MessageOf } from '../../wire/message.ts';

export class BotDesk {
  readonly clock = new ManualClock();
  readonly #own = new MemoryConnection({ clock: this.clock });
  readonly #parts = { connection: this.#own, clock: this.clock, logger: silentLogger };
  readonly publisher = new RedisPublisher({ ...this.#parts, sender: 'desk' });
  readonly #subscriber = new RedisSubscriber(this.#parts);
  readonly #bots: Bot[] = [];
  readonly statuses: BotStatus[] = [];
  readonly results: MessageOf<typeof CHANNELS.COMMAND_RESULTS>['data'][] = [];
  readonly orders: MessageOf<typeof CHANNELS.TRADE_COMMANDS, 'place_order'>[] = [];

  static async open(): Promise<BotDesk> {
    const desk = new BotDesk();
    desk.#subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data }) => desk.statuses.push(data));
    desk.#subscriber.subscribe(CHANNELS.COMMAND_RESULTS, ({ data }) => desk.results.push(data));
    desk.#subscriber.subscribe(CHANNELS.TRADE_COMMANDS, (order) => desk.orders.push(order), {
      types: ['place_order'],
    });
    await desk.#subscriber.startListening();
    return desk;
  }

  /** A link to the server of the desk. */
  connect(): MemoryConnection {
    return new MemoryConnection({ server: this.#own.server });
  }

  /** Defines a bot, which the desk stops when it closes. */
  define(options: BotOverrides = {}): Bot {
    const { clock } = this;
    const shared = { name: 'momentum', connection: this.connect(), clock, logger: silentLogger };
    const bot = defineBot({ ...shared, ...options });
    this.#bots.push(bot);
    return bot;
  }

  async publishPrice(price: number, symbol = 'AAPL'): Promise<void> {
    await this.publisher.publish(CHANNELS.PRICE_DATA, { symbol, price, timestamp: this.clock.now() });
  }

  /** Says that the feed is alive, so that prices are fresh. */
  async heartbeat(): Promise<void> {
    const times = { last_frame_ago_ms: 0, live_for_ms: 60_000, interval_ms: 1_000 };
    await this.publisher.publish(CHANNELS.FEED_STATUS, { feed: 'test', state: 'live', ...times });
  }

  command(type: 'pause' | 'resume' | 'cancel_all', bot = 'momentum') {
    return this.publisher.ask(CHANNELS.TRADE_COMMANDS, { bot }, { type });
  }

  order(bot = 'momentum') {
    const data = { bot, symbol: 'AAPL', side: 'buy', quantity: 1 } as const;
    return this.publisher.ask(CHANNELS.TRADE_COMMANDS, data, { type: 'place_order' });
  }

  /** Waits until the newest status matches. */
  async status(expected: object): Promise<void> {
    await expect.poll(() => this.statuses.at(-1)).toMatchObject(expected);
  }

  async close(): Promise<void> {
    for (const bot of this.#bots) await bot.stop();
    await this.#subscriber.close();
    await this.publisher.close();
  }
}

// What the process tests play on: a Redis, a broker whose market ticks on, an onlooker, and whoever is spawned.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import {
  type SimulatedBroker,
  type SimulatedBrokerOptions,
  startSimulatedBroker,
} from '@tickbus/simulated-broker/broker';
import type { FeedStatus, MessageOf } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { Heard, listen, ManualMarket, SILENT, trade } from '../gateway.fixture.ts';
import { BotProcess, GatewayProcess, gatewaySettings } from './spawned.ts';

/** Milliseconds between two ticks of AAPL. */
const TICK_MS = 20;

export class Stage implements AsyncDisposable {
  readonly redis: LocalRedis;
  readonly broker: SimulatedBroker;
  readonly market: ManualMarket;
  /** Everything that was published, as it came. */
  readonly prices = new Heard<MessageOf<typeof CHANNELS.PRICE_DATA>>();
  readonly statuses = new Heard<FeedStatus>();
  readonly #onlooker: RedisSubscriber;
  readonly #spawned: { kill(): Promise<void> }[] = [];
  readonly #ticking: NodeJS.Timeout;

  private constructor(redis: LocalRedis, broker: SimulatedBroker, market: ManualMarket) {
    this.redis = redis;
    this.broker = broker;
    this.market = market;
    this.#onlooker = new RedisSubscriber({ url: redis.url, logger: SILENT });
    listen(this.#onlooker, CHANNELS.PRICE_DATA, this.prices.add);
    listen(this.#onlooker, CHANNELS.FEED_STATUS, ({ data }) => this.statuses.add(data));
    let price = 100;
    this.#ticking = setInterval(() => market.push(trade(price++)), TICK_MS);
  }

  static async set(options: SimulatedBrokerOptions = {}): Promise<Stage> {
    const market = new ManualMarket();
    const redis = await startLocalRedis();
    const stage = new Stage(redis, await startSimulatedBroker({ source: market, ...options }), market);
    await stage.#onlooker.startListening();
    return stage;
  }

  gateway(settings: Record<string, string> = {}): GatewayProcess {
    const gateway = new GatewayProcess(gatewaySettings(this.redis.url, this.broker.url, settings));
    this.#spawned.push(gateway);
    return gateway;
  }

  bot(symbols: string, maxAgeMs: number): BotProcess {
    const bot = new BotProcess(this.redis.url, symbols, maxAgeMs);
    this.#spawned.push(bot);
    return bot;
  }

  /** The next time that this is told of the feed. */
  told(state: FeedStatus['state'], from = this.statuses.all.length): Promise<FeedStatus> {
    return this.statuses.until((status) => status.state === state, from);
  }

  /** The next price that is published. */
  nextPrice(): Promise<MessageOf<typeof CHANNELS.PRICE_DATA>> {
    return this.prices.until(() => true, this.prices.all.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#ticking);
    await Promise.all(this.#spawned.map((spawned) => spawned.kill()));
    await this.#onlooker.close();
    await this.broker.close();
    await this.redis.kill();
  }
}

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
import { collect, ManualMarket, ReceivedValues, SILENT, trade } from '../gateway.fixture.ts';
import { BotProcess, GatewayProcess, gatewaySettings } from './child-processes.fixture.ts';

/** Milliseconds between two ticks of AAPL. */
const TICK_MS = 20;

export class GatewayTestbed implements AsyncDisposable {
  readonly redis: LocalRedis;
  readonly broker: SimulatedBroker;
  readonly market: ManualMarket;
  /** Everything that was published, as it came. */
  readonly prices = new ReceivedValues<MessageOf<typeof CHANNELS.PRICE_DATA>>();
  readonly statuses = new ReceivedValues<FeedStatus>();
  readonly #observer: RedisSubscriber;
  readonly #processes: { kill(): Promise<void> }[] = [];
  readonly #ticking: NodeJS.Timeout;

  private constructor(redis: LocalRedis, broker: SimulatedBroker, market: ManualMarket) {
    this.redis = redis;
    this.broker = broker;
    this.market = market;
    this.#observer = new RedisSubscriber({ url: redis.url, logger: SILENT });
    collect(this.#observer, CHANNELS.PRICE_DATA, this.prices.add);
    collect(this.#observer, CHANNELS.FEED_STATUS, ({ data }) => this.statuses.add(data));
    let price = 100;
    this.#ticking = setInterval(() => market.push(trade(price++)), TICK_MS);
  }

  static async start(options: SimulatedBrokerOptions = {}): Promise<GatewayTestbed> {
    const market = new ManualMarket();
    const redis = await startLocalRedis();
    const stage = new GatewayTestbed(
      redis,
      await startSimulatedBroker({ source: market, ...options }),
      market,
    );
    await stage.#observer.startListening();
    return stage;
  }

  spawnGateway(settings: Record<string, string> = {}): GatewayProcess {
    const gateway = new GatewayProcess(gatewaySettings(this.redis.url, this.broker.url, settings));
    this.#processes.push(gateway);
    return gateway;
  }

  spawnBot(symbols: string, maxAgeMs: number): BotProcess {
    const bot = new BotProcess(this.redis.url, symbols, maxAgeMs);
    this.#processes.push(bot);
    return bot;
  }

  /** The next time that this is told of the feed. */
  nextStatus(state: FeedStatus['state'], from = this.statuses.all.length): Promise<FeedStatus> {
    return this.statuses.until((status) => status.state === state, from);
  }

  /** The next price that is published. */
  nextPrice(): Promise<MessageOf<typeof CHANNELS.PRICE_DATA>> {
    return this.prices.until(() => true, this.prices.all.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#ticking);
    await Promise.all(this.#processes.map((spawned) => spawned.kill()));
    await this.#observer.close();
    await this.broker.close();
    await this.redis.kill();
  }
}

// The environment of the process tests: a Redis, a broker with a ticking market, an observer, and spawned processes.

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
  /** All published prices, in order. */
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
    const testbed = new GatewayTestbed(
      redis,
      await startSimulatedBroker({ source: market, ...options }),
      market,
    );
    await testbed.#observer.startListening();
    return testbed;
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

  /** The next status with this state; `from` is the index of the first status to consider. */
  nextStatus(state: FeedStatus['state'], from = this.statuses.all.length): Promise<FeedStatus> {
    return this.statuses.until((status) => status.state === state, from);
  }

  /** The next published price. */
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

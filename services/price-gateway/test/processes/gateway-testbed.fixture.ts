// The environment of the process tests: Redis, a broker with a ticking market, an observer, and spawned processes.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import {
  type SimulatedBroker,
  type SimulatedBrokerOptions,
  startSimulatedBroker,
} from '@tickbus/simulated-broker/broker';
import type { FeedStatus, MessageOf } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { AT, collect, ManualMarket, ReceivedValues, SILENT, trade } from '../gateway.fixture.ts';
import { BotProcess, GatewayProcess, gatewaySettings } from './child-processes.fixture.ts';

/** Milliseconds between two ticks of AAPL. */
const TICK_MS = 20;

export class GatewayTestbed implements AsyncDisposable {
  /** The address of Redis. */
  readonly url: string;
  readonly broker: SimulatedBroker;
  readonly market: ManualMarket;
  /** All published prices, in order. */
  readonly prices = new ReceivedValues<MessageOf<typeof CHANNELS.PRICE_DATA>>();
  readonly statuses = new ReceivedValues<FeedStatus>();
  readonly #redis: LocalRedis | undefined;
  readonly #observer: RedisSubscriber;
  readonly #processes: { kill(): Promise<void> }[] = [];
  readonly #ticking: NodeJS.Timeout;

  private constructor(
    redis: LocalRedis | undefined,
    url: string,
    broker: SimulatedBroker,
    market: ManualMarket,
  ) {
    this.#redis = redis;
    this.url = url;
    this.broker = broker;
    this.market = market;
    this.#observer = new RedisSubscriber({ url, logger: SILENT });
    collect(this.#observer, CHANNELS.PRICE_DATA, this.prices.add);
    collect(this.#observer, CHANNELS.FEED_STATUS, ({ data }) => this.statuses.add(data));
    let price = 100;
    // After a reconnection, a trade of the same time counts as sent again.
    this.#ticking = setInterval(() => market.push({ ...trade(price), timestamp: AT + price++ }), TICK_MS);
  }

  /** @param url the address of servers that the caller starts and ends. Default: a server of its own, `redis` */
  static async start(options: SimulatedBrokerOptions = {}, url?: string): Promise<GatewayTestbed> {
    const market = new ManualMarket();
    const redis = url === undefined ? await startLocalRedis() : undefined;
    const broker = await startSimulatedBroker({ source: market, ...options });
    const testbed = new GatewayTestbed(redis, url ?? redis?.url ?? '', broker, market);
    await testbed.#observer.startListening();
    return testbed;
  }

  /** @throws Error if the caller started the servers */
  get redis(): LocalRedis {
    if (this.#redis === undefined) throw new Error('The testbed has no server of its own.');
    return this.#redis;
  }

  spawnGateway(settings: Record<string, string> = {}): GatewayProcess {
    const gateway = new GatewayProcess(gatewaySettings(this.url, this.broker.url, settings));
    this.#processes.push(gateway);
    return gateway;
  }

  spawnBot(symbols: string, maxAgeMs: number): BotProcess {
    const bot = new BotProcess(this.url, symbols, maxAgeMs);
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
    await this.#redis?.kill();
  }
}

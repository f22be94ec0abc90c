// Runs gateways inside the test process, on a real Redis and a simulated broker.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { type SimulatedBroker, startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import type { FeedStatus, MessageOf } from 'tickbus';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { createAlpacaFeed } from '../feeds/alpaca-feed.ts';
import { createGateway, type Gateway } from '../gateway.ts';
import type { GatewayOptions } from '../gateway-options.ts';
import { CREDENTIALS, collect, ManualMarket, ReceivedValues, SILENT } from './gateway.fixture.ts';

/** Registers hooks: one Redis per file; a new broker, market and subscriber per test. */
export function useEmbeddedGateways(): EmbeddedGatewayTestbed {
  let redis: LocalRedis;
  const testbed = new EmbeddedGatewayTestbed();
  beforeAll(async () => {
    redis = await startLocalRedis();
  });
  afterAll(() => redis.kill());
  beforeEach(() => testbed.setUp(redis));
  afterEach(() => testbed.tearDown());
  return testbed;
}

export class EmbeddedGatewayTestbed {
  redis!: LocalRedis;
  market!: ManualMarket;
  broker!: SimulatedBroker;
  /** Published prices, without snapshots. */
  prices!: ReceivedValues<MessageOf<typeof CHANNELS.PRICE_DATA>>;
  statuses!: ReceivedValues<FeedStatus>;
  /** Run in reverse order after the test. */
  readonly cleanUps: (() => Promise<unknown>)[] = [];

  async setUp(redis: LocalRedis): Promise<void> {
    this.redis = redis;
    // Prices of an earlier test would make those of this one late. Everything else stays: a server without a memory
    // holds off each lease.
    await redis.answers('DEL tickbus:{PRICE_DATA}:last');
    this.market = new ManualMarket();
    this.broker = await startSimulatedBroker({ source: this.market });
    this.prices = new ReceivedValues();
    this.statuses = new ReceivedValues();
    const subscriber = new RedisSubscriber({ ...this.address, logger: SILENT });
    this.cleanUps.push(
      () => this.broker.close(),
      () => subscriber.close(),
    );
    collect(subscriber, CHANNELS.PRICE_DATA, this.prices.add);
    collect(subscriber, CHANNELS.FEED_STATUS, ({ data }) => this.statuses.add(data));
    await subscriber.startListening();
  }

  async tearDown(): Promise<void> {
    for (const cleanUp of this.cleanUps.splice(0).reverse()) await cleanUp();
  }

  get address() {
    return { host: this.redis.host, port: this.redis.port };
  }

  newGateway(options: Partial<GatewayOptions> = {}): Gateway {
    const connection = new RedisConnection({ ...this.address, logger: SILENT });
    const gateway = createGateway({
      createFeed: async () => createAlpacaFeed({ url: this.broker.url, ...CREDENTIALS }),
      connection,
      symbols: ['AAPL', 'MSFT'],
      // A busy machine must not lose it.
      leaseTtlMs: 2_500,
      retryMs: 20,
      maxRetryMs: 50,
      connectLimit: 100,
      logger: SILENT,
      ...options,
    });
    this.cleanUps.push(async () => {
      await gateway.stop();
      await connection.close();
    });
    return gateway;
  }

  async startGateway(options?: Partial<GatewayOptions>): Promise<Gateway> {
    const gateway = this.newGateway(options);
    await gateway.start();
    return gateway;
  }

  /** The first status with this state; `from` skips the oldest statuses. */
  nextStatus(state: FeedStatus['state'], from = 0): Promise<FeedStatus> {
    return this.statuses.until((status) => status.state === state, from);
  }
}

// The whole way: simulated broker, official client, gateway, a real Redis, subscribers.

import type { MarketEvent } from '@tickbus/capture';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { type SimulatedBroker, startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import type { FeedStatus, MessageOf } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createAlpacaFeed } from '../feeds/alpaca.ts';
import { createBackoff } from '../feeds/backoff.ts';
import { createGateway, type Gateway, type GatewayOptions } from '../gateway.ts';
import { AT, CREDENTIALS, Heard, listen, ManualMarket, quote, SILENT, trade } from './parts.ts';

let redis: LocalRedis;
let market: ManualMarket;
let broker: SimulatedBroker;
let prices: Heard<MessageOf<typeof CHANNELS.PRICE_DATA>>;
let statuses: Heard<FeedStatus>;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  redis = await startLocalRedis();
});

afterAll(() => redis.kill());

beforeEach(async () => {
  market = new ManualMarket();
  broker = await startSimulatedBroker({ source: market });
  prices = new Heard();
  statuses = new Heard();
  const subscriber = new RedisSubscriber({ ...address(), logger: SILENT });
  cleanUps.push(
    () => broker.close(),
    () => subscriber.close(),
  );
  listen(subscriber, CHANNELS.PRICE_DATA, prices.add);
  listen(subscriber, CHANNELS.FEED_STATUS, ({ data }) => statuses.add(data));
  await subscriber.startListening();
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function address() {
  return { host: redis.host, port: redis.port };
}

function newGateway(options: Partial<GatewayOptions> = {}): Gateway {
  const feed = createAlpacaFeed({ url: broker.url, ...CREDENTIALS });
  const publisher = new RedisPublisher({ ...address(), sender: 'gateway', logger: SILENT });
  const mayConnect = createBackoff({ retryMs: 20, maxRetryMs: 50 });
  const symbols = ['AAPL', 'MSFT'];
  const gateway = createGateway({ feed, symbols, publisher, mayConnect, logger: SILENT, ...options });
  cleanUps.push(() => gateway.stop());
  return gateway;
}

async function startGateway(options?: Partial<GatewayOptions>): Promise<Gateway> {
  const gateway = newGateway(options);
  await gateway.start();
  return gateway;
}

function told(state: FeedStatus['state'], from = 0): Promise<FeedStatus> {
  return statuses.until((status) => status.state === state, from);
}

it('publishes a midpoint before the first trade, then trades, every event as one message', async () => {
  const gateway = await startGateway();
  await told('live');
  market.push(quote(100, 101), trade(100.25), quote(90, 91));
  await prices.until(({ data }) => data.bid === 90);
  expect(prices.all.map(({ data }) => data)).toEqual([
    {
      symbol: 'AAPL',
      price: 100.5,
      source: 'midpoint',
      timestamp: AT,
      bid: 100,
      bid_size: 2,
      ask: 101,
      ask_size: 3,
      venue: 'iex',
    },
    {
      symbol: 'AAPL',
      price: 100.25,
      size: 10,
      source: 'trade',
      timestamp: AT,
      bid: 100,
      bid_size: 2,
      ask: 101,
      ask_size: 3,
      venue: 'iex',
    },
    {
      symbol: 'AAPL',
      price: 100.25,
      size: 10,
      source: 'trade',
      timestamp: AT,
      bid: 90,
      bid_size: 2,
      ask: 91,
      ask_size: 3,
      venue: 'iex',
    },
  ]);
  expect(prices.all[0]).toMatchObject({ message_type: 'price', sender: 'gateway' });
  await vi.waitFor(() => expect(gateway.stats.published).toBe(3), 10_000);
  expect(gateway.stats).toMatchObject({ events: 3, dropped: { invalid: 0, unpriced: 0 }, failures: {} });
});

it('drops what is broken and goes on', async () => {
  const gateway = await startGateway();
  await told('live');
  broker.faults.sendFrame(new Uint8Array([0xc1]));
  market.push(trade(Number.NaN), { ...trade(1), price: undefined } as unknown as MarketEvent, trade(5));
  await prices.until(({ data }) => data.price === 5);
  expect(prices.all).toHaveLength(1);
  expect(gateway.stats).toMatchObject({ events: 3, invalidFrames: 1, dropped: { invalid: 2, unpriced: 0 } });
});

it('tells the status of the feed on every change and again and again', async () => {
  await startGateway({ statusIntervalMs: 20 });
  const before = Date.now();
  await told('connecting');
  const { last_frame_at, ...live } = await told('live');
  expect(live).toEqual({ feed: 'alpaca', state: 'live', instruments: 2 });
  market.push(trade(1));
  await statuses.until(
    (status) => (status.last_frame_at ?? 0) >= before && status.last_frame_at !== last_frame_at,
  );
  const count = statuses.all.length;
  await statuses.until(() => true, count + 2);
});

it('tells a feed that has gone silent, and that it speaks again', async () => {
  await startGateway({ statusIntervalMs: 20, silentAfterMs: 100 });
  await told('silent');
  const count = statuses.all.length;
  market.push(trade(1));
  await told('live', count);
});

it('tells why a second gateway is refused; it takes over when the first one leaves', async () => {
  const first = await startGateway();
  await told('live');
  const second = await startGateway();
  const { detail } = await told('down');
  expect(detail).toMatch(/^The broker answered 406 connection limit exceeded\. .* It is tried again\.$/);
  await first.stop();
  await vi.waitFor(() => expect(second.stats.feed.state).toBe('live'), 10_000);
  market.push(trade(3));
  await prices.until(({ data }) => data.price === 3);
  expect(broker.stats.maxConcurrent).toBe(1);
});

it('tells that the key is wrong and does not try again', async () => {
  const feed = createAlpacaFeed({ url: broker.url, key: 'local-key', secret: 'wrong' });
  await startGateway({ feed });
  const { detail } = await told('down');
  expect(detail).toMatch(/^The broker answered 402 auth failed\. Check the key .* It is not tried again\.$/);
});

it('tells a lost broker as down, and comes back', async () => {
  await startGateway();
  await told('live');
  broker.faults.drop();
  expect((await told('down')).detail).toBe('The broker closed the connection. It is tried again.');
  await told('live', statuses.all.length);
  market.push(trade(4));
  await prices.until(({ data }) => data.price === 4);
});

it('counts what it cannot publish while Redis is away, logs it once, and goes on when it is back', async () => {
  const warn = vi.fn();
  const gateway = await startGateway({ logger: { ...SILENT, debug() {}, info() {}, error() {}, warn } });
  await told('live');
  await redis.kill();
  await vi.waitFor(() => {
    market.push(trade(1));
    expect(gateway.stats.failures.TICKBUS_NOT_CONNECTED).toBeGreaterThan(5);
  }, 10_000);
  expect(warn.mock.calls.filter(([fields]) => fields.code === 'TICKBUS_NOT_CONNECTED')).toHaveLength(1);
  expect(gateway.stats.feed.state).toBe('live');
  await redis.start();
  await vi.waitFor(() => {
    market.push(trade(2));
    expect(prices.all.at(-1)?.data.price).toBe(2);
  }, 10_000);
});

it('lets go of the broker, settles every price and then says that it has stopped', async () => {
  const gateway = await startGateway();
  await told('live');
  market.push(...Array.from({ length: 500 }, (_, index) => trade(index + 1)));
  await vi.waitFor(() => expect(gateway.stats.events).toBe(500), 10_000);
  await Promise.all([gateway.stop(), gateway.stop()]);
  expect(broker.stats.connections).toBe(0);
  expect(gateway.stats.published).toBe(500);
  await told('stopped');
  expect(statuses.all.map(({ state }) => state).slice(-2)).toEqual(['stopping', 'stopped']);
});

it('does not call the broker when Redis is not there', async () => {
  const publisher = new RedisPublisher({ host: '127.0.0.1', port: 1, logger: SILENT });
  const gateway = newGateway({ publisher });
  await expect(gateway.start()).rejects.toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
  await gateway.stop();
  expect(broker.stats).toMatchObject({ accepted: 0, refused: 0 });
});

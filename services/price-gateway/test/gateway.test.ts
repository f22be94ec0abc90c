// The whole way: simulated broker, official client, gateway, a real Redis, subscribers.

import type { MarketEvent } from '@tickbus/capture';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { type SimulatedBroker, startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import type { FeedStatus, InstrumentStatus, MessageOf } from 'tickbus';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createAlpacaFeed } from '../feeds/alpaca-feed.ts';
import type { FeedState } from '../feeds/feed.ts';
import { createGateway, type Gateway } from '../gateway.ts';
import type { GatewayOptions } from '../gateway-options.ts';
import {
  AT,
  CREDENTIALS,
  collect,
  ManualMarket,
  quote,
  ReceivedValues,
  SILENT,
  trade,
} from './gateway.fixture.ts';

let redis: LocalRedis;
let market: ManualMarket;
let broker: SimulatedBroker;
let prices: ReceivedValues<MessageOf<typeof CHANNELS.PRICE_DATA>>;
let statuses: ReceivedValues<FeedStatus>;
const cleanUps: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  redis = await startLocalRedis();
});

afterAll(() => redis.kill());

beforeEach(async () => {
  market = new ManualMarket();
  broker = await startSimulatedBroker({ source: market });
  prices = new ReceivedValues();
  statuses = new ReceivedValues();
  const subscriber = new RedisSubscriber({ ...address(), logger: SILENT });
  cleanUps.push(
    () => broker.close(),
    () => subscriber.close(),
  );
  collect(subscriber, CHANNELS.PRICE_DATA, prices.add);
  collect(subscriber, CHANNELS.FEED_STATUS, ({ data }) => statuses.add(data));
  await subscriber.startListening();
});

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function address() {
  return { host: redis.host, port: redis.port };
}

function newGateway(options: Partial<GatewayOptions> = {}): Gateway {
  const connection = new RedisConnection({ ...address(), logger: SILENT });
  const gateway = createGateway({
    createFeed: async () => createAlpacaFeed({ url: broker.url, ...CREDENTIALS }),
    connection,
    symbols: ['AAPL', 'MSFT'],
    leaseTtlMs: 1_000,
    retryMs: 20,
    maxRetryMs: 50,
    connectLimit: 100,
    logger: SILENT,
    ...options,
  });
  cleanUps.push(async () => {
    await gateway.stop();
    await connection.close();
  });
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
  expect(prices.all[0]).toMatchObject({ message_type: 'price', sender: 'price-gateway' });
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
  expect(live).toMatchObject({ feed: 'alpaca', state: 'live', instruments: 2, interval_ms: 20 });
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

it('has a second gateway stand by, which takes over when the first one leaves', async () => {
  const first = await startGateway();
  await told('live');
  const second = await startGateway();
  expect(second.readiness).toEqual({ ready: true, role: 'standby', redis: 'connected' });
  expect(second.stats).toMatchObject({ role: 'standby', feed: undefined });
  await first.stop();
  await vi.waitFor(() => expect(second.stats.feed?.state).toBe('live'), 10_000);
  expect(second.readiness).toEqual({ ready: true, role: 'active', redis: 'connected', feed: 'live' });
  market.push(trade(3));
  await prices.until(({ data }) => data.price === 3);
  expect(broker.stats).toMatchObject({ maxConcurrent: 1, accepted: 2, refused: 0 });
});

it('tells that another program holds the connection, and takes it when that one leaves', async () => {
  const rival = createAlpacaFeed({ url: broker.url, ...CREDENTIALS });
  cleanUps.push(() => rival.close());
  await new Promise<void>((resolve) => {
    const ignore = () => {};
    const onState = ({ type }: FeedState) => type === 'live' && resolve();
    const deaf = { onFrame: ignore, onInvalidFrame: ignore, onRefused: ignore, onSubscribed: ignore };
    rival.start({ ...deaf, onState, mayConnect: async () => {} });
  });
  const gateway = await startGateway();
  const { detail } = await told('down');
  expect(detail).toMatch(/^The broker answered 406 connection limit exceeded\. .* Retrying in 20 ms\.$/);
  expect(gateway.readiness).toMatchObject({ ready: false, role: 'active', feed: 'down' });
  await rival.close();
  await told('live');
  expect(gateway.stats.brokerErrors[406]).toBeGreaterThanOrEqual(1);
  expect(broker.stats.maxConcurrent).toBe(1);
});

it('calls the broker no more often than the budget allows, whatever the broker answers', async () => {
  // Redis forgets what earlier tests used up.
  await redis.kill();
  await redis.start();
  broker.faults.failAuthentication(406);
  const gateway = await startGateway({ connectLimit: 3 });
  const { detail } = await statuses.until(({ detail }) => /Retrying in \d{5} ms/.test(detail ?? ''));
  expect(detail).toMatch(/^The broker answered 406/);
  expect(gateway.stats.attempts).toBe(3);
  await gateway.stop();
  // Another process, the same budget.
  const next = await startGateway({ connectLimit: 3 });
  await statuses.until(
    ({ state, detail }) =>
      state === 'connecting' && /^The budget of connection attempts is used up/.test(detail ?? ''),
  );
  expect(next.stats.attempts).toBe(0);
  expect(broker.stats).toMatchObject({ accepted: 0 });
});

it('tells that the key is wrong and does not try again', async () => {
  const createFeed = async () => createAlpacaFeed({ url: broker.url, key: 'local-key', secret: 'wrong' });
  await startGateway({ createFeed });
  const { detail } = await told('down');
  expect(detail).toMatch(/^The broker answered 402 auth failed\. Check the key .* Not retrying\.$/);
});

it('tells a lost broker as down, and comes back', async () => {
  await startGateway();
  await told('live');
  broker.faults.drop();
  expect((await told('down')).detail).toBe('The broker closed the connection. Retrying in 20 ms.');
  await told('live', statuses.all.length);
  market.push(trade(4));
  await prices.until(({ data }) => data.price === 4);
});

it('lets go of the broker when Redis is away for longer than the lease lasts, and comes back with it', async () => {
  const gateway = await startGateway();
  await told('live');
  await redis.kill();
  await vi.waitFor(() => expect(broker.stats.connections).toBe(0), 10_000);
  expect(gateway.readiness).toEqual({ ready: false, role: 'standby', redis: 'disconnected' });
  const before = statuses.all.length;
  await redis.start();
  await told('live', before);
  market.push(trade(2));
  await prices.until(({ data }) => data.price === 2);
  expect(prices.all.map(({ data }) => data.price)).toEqual([2]);
});

it('lets go of the broker, settles every price and then says that it has stopped', async () => {
  const gateway = await startGateway();
  await told('live');
  market.push(...Array.from({ length: 500 }, (_, index) => trade(index + 1)));
  await vi.waitFor(() => expect(gateway.stats.events).toBe(500), 10_000);
  await Promise.all([gateway.stop(), gateway.stop()]);
  expect(broker.stats.connections).toBe(0);
  const { published, failures } = gateway.stats;
  expect({ published, failures }).toEqual({ published: 500, failures: {} });
  await told('stopped');
  expect(statuses.all.map(({ state }) => state).slice(-2)).toEqual(['stopping', 'stopped']);
});

it('does not call the broker when Redis is not there', async () => {
  const connection = new RedisConnection({ host: '127.0.0.1', port: 1, logger: SILENT });
  const gateway = newGateway({ connection });
  await expect(gateway.start()).rejects.toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
  await gateway.stop();
  expect(broker.stats).toMatchObject({ accepted: 0, refused: 0 });
});

it('does not stand by with a feed that cannot be made', async () => {
  const gateway = newGateway({ createFeed: () => Promise.reject(new Error('Install ccxt.')) });
  await expect(gateway.start()).rejects.toThrow('Install ccxt.');
});

it('makes the connection anew when the broker has been silent for too long', async () => {
  await startGateway({ silentAfterMs: 100, reconnectSilentMs: 300 });
  await told('live');
  broker.faults.sendHalfFrame();
  await told('silent');
  const { detail } = await told('down');
  expect(detail).toBe('No frame received for 300 ms. Retrying in 20 ms.');
  broker.faults.recover();
  await told('live', statuses.all.length);
  market.push(trade(6));
  await prices.until(({ data }) => data.price === 6);
  expect(broker.stats.maxConcurrent).toBe(1);
});

it('asks for what bots ask for, tells them what becomes of it, and stops a while after the last has gone', async () => {
  await broker.close();
  // Trades and quotes of two instruments.
  broker = await startSimulatedBroker({ source: market, symbolLimit: 4 });
  await startGateway({ symbols: ['AAPL'], symbolGraceMs: 200, demandIntervalMs: 50 });
  await told('live');
  const instruments = new ReceivedValues<InstrumentStatus>();
  const bot = new RedisSubscriber({ ...address(), logger: SILENT });
  cleanUps.push(() => bot.close());
  collect(bot, CHANNELS.INSTRUMENT_STATUS, ({ data }) => instruments.add(data));
  const unsubscribe = bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['MSFT'] });
  await bot.startListening();
  await instruments.until(({ symbol, state }) => symbol === 'MSFT' && state === 'subscribed');
  market.push(trade(7, 'MSFT'));
  await prices.until(({ data }) => data.symbol === 'MSFT');

  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['NVDA'] });
  const refused = await instruments.until(({ symbol }) => symbol === 'NVDA');
  expect(refused).toMatchObject({ state: 'refused', feed: 'alpaca', detail: expect.stringContaining('405') });
  market.push(trade(8, 'MSFT'), trade(9, 'AAPL'));
  await prices.until(({ data }) => data.price === 9);
  expect(prices.all.map(({ data }) => data.price)).toEqual([7, 8, 9]);

  unsubscribe();
  await instruments.until(({ symbol, state }) => symbol === 'MSFT' && state === 'unsubscribed');
  await instruments.until(({ symbol, state }) => symbol === 'NVDA' && state === 'subscribed');
  expect(broker.stats).toMatchObject({ accepted: 1, maxConcurrent: 1 });
});

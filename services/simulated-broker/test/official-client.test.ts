// The official Alpaca client, unmodified, connected to the broker with its `url` option.

import { streaming } from '@alpacahq/alpaca-trade-api';
import { afterEach, expect, it } from 'vitest';
import { LOCAL_CREDENTIALS, type SimulatedBroker, startSimulatedBroker } from '../broker.ts';
import { createGenerator } from '../sources/generator.ts';

const { EVENT, STATE, STREAM_AUTH_STATUS } = streaming;

const brokers: SimulatedBroker[] = [];
const streams: streaming.StockDataStream[] = [];

afterEach(async () => {
  for (const stream of streams.splice(0)) stream.disconnect();
  await Promise.all(brokers.splice(0).map((broker) => broker.close()));
});

async function startBroker(): Promise<SimulatedBroker> {
  const broker = await startSimulatedBroker({ source: createGenerator({ rate: 500, seed: 7 }) });
  brokers.push(broker);
  return broker;
}

function openStream(url: string, secret = LOCAL_CREDENTIALS.secret): streaming.StockDataStream {
  const credentials = { keyId: LOCAL_CREDENTIALS.key, secret };
  const stream = new streaming.StockDataStream({ url, credentials, reconnect: false });
  streams.push(stream);
  return stream;
}

/** The first event of that name. */
function first<Value>(stream: streaming.StockDataStream, name: string): Promise<Value> {
  return new Promise((resolve) => stream.once(name, resolve as (value: never) => void));
}

it('authenticates, subscribes, and receives trades and quotes', async () => {
  const broker = await startBroker();
  const stream = openStream(broker.url);
  const subscription = first(stream, EVENT.SUBSCRIPTION);
  const trade = first<streaming.StreamTrade>(stream, EVENT.TRADE);
  const quote = first<streaming.StreamQuote>(stream, EVENT.QUOTE);
  const before = Date.now();
  stream.subscribeForTrades(['*']);
  stream.subscribeForQuotes(['AAPL', 'MSFT']);
  stream.connect();
  expect(await stream.waitForAuthentication()).toBe(true);
  expect(await subscription).toMatchObject({ trades: ['*'], quotes: ['AAPL', 'MSFT'], bars: [] });
  const { symbol, price, size, id, exchange, timestamp } = await trade;
  expect(broker.symbols).toContain(symbol);
  expect(price).toBeGreaterThan(1);
  expect([typeof size, id, exchange]).toEqual(['number', 1, 'V']);
  expect(timestamp.getTime()).toBeGreaterThanOrEqual(before);
  const { symbol: quoted, bidPrice, askPrice, timestampRaw } = await quote;
  expect(['AAPL', 'MSFT']).toContain(quoted);
  expect(bidPrice).toBeLessThan(askPrice);
  expect(timestampRaw).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
});

it('is rejected with 406 as the second client, while the first keeps receiving', async () => {
  const broker = await startBroker();
  const holder = openStream(broker.url);
  holder.subscribeForTrades(['*']);
  holder.connect();
  await first(holder, EVENT.TRADE);
  const second = openStream(broker.url);
  const error = first<string>(second, EVENT.CLIENT_ERROR);
  second.connect();
  expect(await error).toBe('connection limit exceeded');
  expect(await second.whenAuthenticated()).toMatchObject({
    authenticated: false,
    status: STREAM_AUTH_STATUS.CLOSED,
  });
  expect(second.getState()).toBe(STATE.DISCONNECTED);
  await first(holder, EVENT.TRADE);
  expect(broker.stats).toMatchObject({ connections: 1, maxConcurrent: 1, refused: 1 });
});

it('is rejected with 402 for a wrong secret', async () => {
  const { url } = await startBroker();
  const stream = openStream(url, 'wrong');
  const error = first<string>(stream, EVENT.CLIENT_ERROR);
  stream.connect();
  expect(await error).toBe('auth failed');
  expect(await stream.whenAuthenticated()).toMatchObject({
    status: STREAM_AUTH_STATUS.SERVER_REJECTED,
    code: 402,
  });
});

it('reconnects and resubscribes after the broker drops it', async () => {
  const broker = await startBroker();
  const stream = new streaming.StockDataStream({
    url: broker.url,
    credentials: { keyId: LOCAL_CREDENTIALS.key, secret: LOCAL_CREDENTIALS.secret },
    initialReconnectMs: 10,
  });
  streams.push(stream);
  stream.subscribeForTrades(['*']);
  stream.connect();
  await first(stream, EVENT.TRADE);
  const reconnected = first(stream, EVENT.RECONNECTED);
  broker.faults.drop();
  await reconnected;
  await first(stream, EVENT.TRADE);
  expect(broker.stats).toMatchObject({ accepted: 2, maxConcurrent: 1, refused: 0 });
});

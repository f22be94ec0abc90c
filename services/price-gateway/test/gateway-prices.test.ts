// The path of a price: simulated broker, official client, gateway, real Redis, subscriber; and symbols on demand.

import type { MarketEvent } from '@tickbus/capture';
import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import type { InstrumentStatus } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it, vi } from 'vitest';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { AT, collect, quote, ReceivedValues, SILENT, trade } from './gateway.fixture.ts';

const testbed = useEmbeddedGateways();

it('publishes a midpoint before the first trade, then trades, every event as one message', async () => {
  const gateway = await testbed.startGateway();
  await testbed.nextStatus('live');
  testbed.market.push(quote(100, 101), trade(100.25), quote(90, 91));
  await testbed.prices.until(({ data }) => data.bid === 90);
  expect(testbed.prices.all.map(({ data }) => data)).toEqual([
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
  expect(testbed.prices.all[0]).toMatchObject({ message_type: 'price', sender: 'price-gateway' });
  await vi.waitFor(() => expect(gateway.stats.published).toBe(3), 50_000);
  expect(gateway.stats).toMatchObject({ events: 3, dropped: { invalid: 0, unpriced: 0 }, failures: {} });
});

it('drops invalid frames and events, and continues', async () => {
  const gateway = await testbed.startGateway();
  await testbed.nextStatus('live');
  testbed.broker.faults.sendFrame(new Uint8Array([0xc1]));
  testbed.market.push(
    trade(Number.NaN),
    { ...trade(1), price: undefined } as unknown as MarketEvent,
    trade(5),
  );
  await testbed.prices.until(({ data }) => data.price === 5);
  expect(testbed.prices.all).toHaveLength(1);
  expect(gateway.stats).toMatchObject({ events: 3, invalidFrames: 1, dropped: { invalid: 2, unpriced: 0 } });
});

it('publishes the feed status on every change and periodically', async () => {
  await testbed.startGateway({ statusIntervalMs: 20 });
  const before = Date.now();
  await testbed.nextStatus('connecting');
  const { last_frame_at, ...live } = await testbed.nextStatus('live');
  expect(live).toMatchObject({ feed: 'alpaca', state: 'live', instruments: 2, interval_ms: 20 });
  testbed.market.push(trade(1));
  await testbed.statuses.until(
    (status) => (status.last_frame_at ?? 0) >= before && status.last_frame_at !== last_frame_at,
  );
  const count = testbed.statuses.all.length;
  await testbed.statuses.until(() => true, count + 2);
});

it('reports a silent feed, and that it is live again', async () => {
  await testbed.startGateway({ statusIntervalMs: 20, silentAfterMs: 100 });
  await testbed.nextStatus('silent');
  const count = testbed.statuses.all.length;
  testbed.market.push(trade(1));
  await testbed.nextStatus('live', count);
});

it('requests symbols on demand, reports their status, and unsubscribes after the grace period', async () => {
  await testbed.broker.close();
  // The limit permits trades and quotes of two instruments.
  testbed.broker = await startSimulatedBroker({ source: testbed.market, symbolLimit: 4 });
  await testbed.startGateway({ symbols: ['AAPL'], symbolGraceMs: 200, demandIntervalMs: 50 });
  await testbed.nextStatus('live');
  const instruments = new ReceivedValues<InstrumentStatus>();
  const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => bot.close());
  collect(bot, CHANNELS.INSTRUMENT_STATUS, ({ data }) => instruments.add(data));
  const unsubscribe = bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['MSFT'] });
  await bot.startListening();
  await instruments.until(({ symbol, state }) => symbol === 'MSFT' && state === 'subscribed');
  testbed.market.push(trade(7, 'MSFT'));
  await testbed.prices.until(({ data }) => data.symbol === 'MSFT');

  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['NVDA'] });
  const refused = await instruments.until(({ symbol }) => symbol === 'NVDA');
  expect(refused).toMatchObject({ state: 'refused', feed: 'alpaca', detail: expect.stringContaining('405') });
  testbed.market.push(trade(8, 'MSFT'), trade(9, 'AAPL'));
  await testbed.prices.until(({ data }) => data.price === 9);
  expect(testbed.prices.all.map(({ data }) => data.price)).toEqual([7, 8, 9]);

  unsubscribe();
  await instruments.until(({ symbol, state }) => symbol === 'MSFT' && state === 'unsubscribed');
  await instruments.until(({ symbol, state }) => symbol === 'NVDA' && state === 'subscribed');
  expect(testbed.broker.stats).toMatchObject({ accepted: 1, maxConcurrent: 1 });
});

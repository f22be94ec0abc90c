// The path of a price: simulated broker, official client, gateway, real Redis, subscriber; and symbols on demand.

import type { MarketEvent } from '@tickbus/capture';
import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import type { InstrumentStatus, Verdict } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { describe, expect, it, vi } from 'vitest';
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
      cause: 'quote',
      timestamp: AT,
      quote_time: AT,
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
      cause: 'trade',
      timestamp: AT,
      trade_time: AT,
      quote_time: AT,
      bid: 100,
      bid_size: 2,
      ask: 101,
      ask_size: 3,
      venue: 'iex',
    },
    {
      symbol: 'AAPL',
      price: 100.25,
      source: 'trade',
      cause: 'quote',
      timestamp: AT,
      trade_time: AT,
      quote_time: AT,
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

describe.each([5, 50, 500])('a venue that sends its last %i trades again after a reconnection', (count) => {
  it.each([true, false])(
    'causes no message; with identifiers: %s',
    async (tradeIds) => {
      await testbed.broker.close();
      const { market } = testbed;
      testbed.broker = await startSimulatedBroker({ source: market, resentTrades: count, tradeIds });
      const gateway = await testbed.startGateway();
      await testbed.nextStatus('live');
      const prices = Array.from({ length: count }, (_, n) => 100 + n);
      // Three trades have the same time.
      const trades = prices.map((price, n) => ({ ...trade(price), timestamp: AT + Math.floor(n / 3) }));
      market.push(...trades);
      await testbed.prices.until(({ data }) => data.price === 99 + count);
      testbed.broker.faults.drop();
      await testbed.nextStatus('down');
      await testbed.nextStatus('live', testbed.statuses.all.length);
      await expect.poll(() => gateway.stats.dropped.late, { timeout: 50_000 }).toBe(count);
      market.push({ ...trade(7), timestamp: AT + count });
      await testbed.prices.until(({ data }) => data.price === 7);
      expect(testbed.prices.all.map(({ data }) => data.price)).toEqual([...prices, 7]);
      expect(gateway.stats.dropped.late).toBe(count);
    },
    60_000,
  );
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

const QUIET = { maxAgeMs: 20_000, maxQuietMs: 3_600_000 };

/** A gateway of AAPL, and a bot that has received these events. */
async function botAfter(...events: MarketEvent[]) {
  await testbed.startGateway({ symbols: ['AAPL'] });
  await testbed.nextStatus('live');
  const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => bot.close());
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['AAPL'] });
  await bot.startListening();
  const latest = () => bot.latest(CHANNELS.PRICE_DATA, 'AAPL', QUIET);
  const requireFresh = () => bot.requireFresh(CHANNELS.PRICE_DATA, 'AAPL', QUIET);
  const reaches = (verdict: Verdict) => vi.waitFor(() => expect(latest().verdict).toBe(verdict), 50_000);
  testbed.market.push(...events);
  await reaches('fresh');
  return { latest, requireFresh, reaches };
}

describe('a quote that is withdrawn', () => {
  const withdrawn = { ...quote(0, 0), bid_size: 0, ask_size: 0 } as MarketEvent;
  const bidOnly = { ...quote(100, 0), ask_size: 0 } as MarketEvent;

  it.each([
    ['both sides', withdrawn],
    ['one side', bidOnly],
  ])('gives no price if there was no trade: %s', async (_, event) => {
    const { latest, requireFresh, reaches } = await botAfter(quote(100, 101));
    testbed.market.push(event);
    await reaches('no_price');
    expect(requireFresh).toThrow(
      expect.objectContaining({ code: 'TICKBUS_STALE_DATA', verdict: 'no_price' }),
    );
    testbed.market.push(quote(102, 103));
    await reaches('fresh');
    expect(requireFresh().data).toMatchObject({ bid: 102, ask: 103 });
    // The subscription of the instrument went on, so the price stays fresh while the market is quiet.
    expect(latest().instrument).toMatchObject({ state: 'subscribed' });
  });

  it('leaves the last trade, without the withdrawn side', async () => {
    const { requireFresh } = await botAfter(quote(100, 101), trade(100.5));
    for (const [event, sides] of [
      [bidOnly, { bid: 100, ask: undefined }],
      [withdrawn, { bid: undefined, ask: undefined }],
    ] as const) {
      testbed.market.push(event);
      await vi.waitFor(() => {
        const { price, source, bid, ask } = requireFresh().data;
        expect({ price, source, bid, ask }).toEqual({ price: 100.5, source: 'trade', ...sides });
      }, 50_000);
    }
  });
});

it('is down while most events cannot be understood, and live again afterwards', async () => {
  const gateway = await testbed.startGateway({ symbols: ['AAPL'] });
  await testbed.nextStatus('live');
  testbed.market.push(trade(1));
  await testbed.prices.until(({ data }) => data.price === 1);
  testbed.market.push(...Array.from({ length: 50 }, () => trade(Number.NaN)));
  const { detail } = await testbed.nextStatus('down');
  expect(detail).toMatch(
    /^\d+ % of the feed's messages cannot be understood: price of the trade of "AAPL" must be a number/,
  );
  expect(gateway.readiness).toMatchObject({ ready: false, feed: 'down', detail });
  expect(testbed.statuses.all.at(-1)?.live_for_ms).toBeUndefined();
  await testbed.nextStatus('live', testbed.statuses.all.length);
  expect(gateway.readiness).toMatchObject({ ready: true, feed: 'live' });
});

it('gives no price of a halted instrument, until trading resumes or its end may have been missed', async () => {
  const { latest, requireFresh, reaches } = await botAfter(trade(100));
  const halt = {
    kind: 'status',
    symbol: 'AAPL',
    code: 'H',
    reason: ['T1', 'News Pending'],
    timestamp: AT,
  } as const;
  testbed.market.push(halt);
  await reaches('halted');
  expect(latest().reason).toBe('The venue has halted trading in this key: Trading Halt, T1, News Pending.');
  expect(requireFresh).toThrow(expect.objectContaining({ verdict: 'halted' }));
  // A quote does not end a halt, and neither does a trade that is reported during it.
  testbed.market.push(quote(99, 101), { ...trade(101), timestamp: AT + 1 });
  await testbed.prices.until(({ data }) => data.price === 101);
  expect(latest().verdict).toBe('halted');
  testbed.market.push({ ...halt, code: 'T' });
  await reaches('fresh');
  testbed.market.push(halt);
  await reaches('halted');
  testbed.broker.faults.drop();
  await testbed.nextStatus('down');
  await testbed.nextStatus('live', testbed.statuses.all.length);
  await reaches('halted');
  testbed.market.push({ ...trade(102), timestamp: AT + 2 });
  await reaches('fresh');
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

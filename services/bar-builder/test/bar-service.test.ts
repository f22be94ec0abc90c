// The service on a real Redis: revisions, and everything that makes a bar incomplete.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { acquireAndRelease } from '@tickbus/test-kit/leases';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startBarService, type TestBarService } from './bar-service.fixture.ts';
import { PublishedBars } from './published-bars.fixture.ts';

/** 2026-01-02 15:30 UTC. */
const START = Date.UTC(2026, 0, 2, 15, 30);

let redis: LocalRedis;
let publisher: RedisPublisher;
let subscriber: RedisSubscriber;
let service: TestBarService;
let bars: PublishedBars;

beforeEach(async () => {
  redis = await startLocalRedis();
  await acquireAndRelease(CHANNELS.BARS, redis.url);
  publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
  subscriber = new RedisSubscriber({ url: redis.url, logger: silentLogger });
  bars = new PublishedBars();
  subscriber.tap(CHANNELS.BARS, ({ message }) => bars.add(message.data));
  await subscriber.startListening();
  service = await startBarService(redis.url, { lengths: ['1s'] });
  await service.isActive();
  // The second before this trade is the first that the builder knows completely.
  await trade(-1_000, 1);
});

afterEach(async () => {
  await service[Symbol.asyncDispose]();
  await subscriber.close();
  await publisher.close();
  await redis.kill();
});

/** @param after milliseconds after `START` */
function trade(after: number, price: number, trade_id?: string) {
  const data = { symbol: 'AAPL', price, size: 2, timestamp: START + after };
  return publisher.publish(CHANNELS.TRADES, trade_id === undefined ? data : { ...data, trade_id });
}

/** The last revision of the bar of a second; the clock of the builder advances, but not that of the venue. */
function bar(second: number) {
  return expect.poll(async () => {
    service.clock.setNow(Date.now());
    await service.clock.advance(25);
    return bars.last.get(`AAPL/1s/${START + second * 1_000}`);
  });
}

it('revises a bar for a late trade, a correction and cancels; an empty bar has 0 trades', async () => {
  await trade(100, 10, 'a');
  await trade(1_000, 12, 'b');
  await bar(0).toMatchObject({
    revision: 0,
    open: 10,
    close: 10,
    volume: 2,
    trades: 1,
    vwap: 10,
    complete: true,
  });
  await trade(50, 8, 'late');
  await bar(0).toMatchObject({ revision: 1, open: 8, low: 8, close: 10, volume: 4, trades: 2, vwap: 9 });
  const original = { trade_id: 'a', price: 10, size: 2 };
  await publisher.publish(
    CHANNELS.TRADES,
    {
      symbol: 'AAPL',
      timestamp: START,
      original,
      corrected: { ...original, price: 11, timestamp: START + 100 },
    },
    { type: 'trade_correction' },
  );
  await bar(0).toMatchObject({ revision: 2, high: 11, close: 11, trades: 2 });
  for (const [trade_id, price] of [
    ['a', 11],
    ['late', 8],
  ] as const)
    await publisher.publish(
      CHANNELS.TRADES,
      { symbol: 'AAPL', timestamp: START, original: { trade_id, price, size: 2 } },
      { type: 'trade_cancel' },
    );
  await bar(0).toMatchObject({ volume: 0, trades: 0, complete: true });
  expect(bars.last.get(`AAPL/1s/${START}`)).not.toHaveProperty('vwap');
  expect(bars.repeated).toEqual([]);
});

it('a lost message of TRADES makes the bars incomplete that it can belong to', async () => {
  await trade(0, 10);
  await trade(1_000, 11);
  await bar(0).toMatchObject({ complete: true });
  // Redis cannot repair the gap: its history is gone, and two numbers are skipped.
  await redis.answers('DEL tickbus:{TRADES}:history', 'HINCRBY tickbus:{TRADES}:head seq 2');
  await trade(1_500, 12);
  await trade(2_000, 13);
  await trade(3_000, 14);
  await bar(1).toMatchObject({ complete: false, trades: 2 });
  await bar(2).toMatchObject({ complete: true, trades: 1 });
});

it('a gap that the gateway reports makes the bars incomplete that it can belong to', async () => {
  await trade(0, 10);
  const gap = { symbol: 'AAPL', from: START, to: START + 100, reason: 'interrupted' } as const;
  await publisher.publish(CHANNELS.TRADES, gap, { type: 'trade_gap' });
  await trade(500, 11);
  await trade(1_000, 11);
  await trade(2_000, 11);
  await bar(0).toMatchObject({ complete: false, trades: 2 });
  await bar(1).toMatchObject({ complete: true });
});

it('a gap of one instrument concerns no other, also for a builder that starts later', async () => {
  await trade(0, 10);
  const gap = { symbol: 'MSFT', to: START + 100, reason: 'start' } as const;
  await publisher.publish(CHANNELS.TRADES, gap, { type: 'trade_gap' });
  await trade(500, 11);
  await trade(1_000, 11);
  await bar(0).toMatchObject({ complete: true, trades: 2 });
  await publisher.publish(CHANNELS.TRADES, gap, { type: 'trade_gap' });
  await service[Symbol.asyncDispose]();
  service = await startBarService(redis.url, { lengths: ['1s'] });
  await trade(2_000, 12);
  await bar(1).toMatchObject({ complete: true, trades: 1 });
});

it('an invalid message on TRADES counts as a lost one', async () => {
  await trade(0, 10);
  await using foreign = new RedisPublisher({ url: redis.url, logger: silentLogger, validate: false });
  await foreign.publish(CHANNELS.TRADES, {
    symbol: 'AAPL',
    price: 'ten' as unknown as number,
    size: 1,
    timestamp: START,
  });
  await trade(500, 11);
  await trade(1_000, 11);
  await trade(2_000, 11);
  await bar(0).toMatchObject({ complete: false });
  await bar(1).toMatchObject({ complete: true });
});

/** @param live_for_ms milliseconds since the feed became live */
function status(state: 'live' | 'down', live_for_ms?: number) {
  const since = live_for_ms === undefined ? {} : { live_for_ms };
  return publisher.publish(CHANNELS.FEED_STATUS, { feed: 'alpaca', state, ...since });
}

it('a builder that starts later does not take stored trades of an interrupted feed for all trades', async () => {
  await service[Symbol.asyncDispose]();
  await trade(100, 10);
  // Redis, on the same clock, counts whole milliseconds.
  const tradedAt = Date.now();
  await expect.poll(() => Date.now()).toBeGreaterThan(tradedAt + 1);
  await status('live', 0);
  await trade(600, 12);
  service = await startBarService(redis.url, { lengths: ['1s'] });
  await service.isActive();
  await trade(1_000, 10);
  await trade(2_000, 10);
  await bar(0).toMatchObject({ complete: false });
  await bar(1).toMatchObject({ complete: true });
});

it('an interruption of the feed makes its bars incomplete, also one between two heartbeats', async () => {
  await status('live', 60_000);
  await trade(0, 10);
  await trade(1_000, 10);
  await bar(0).toMatchObject({ complete: true });
  await status('down');
  await status('live', 0);
  await trade(1_900, 10);
  await trade(2_000, 10);
  await trade(3_000, 10);
  await bar(1).toMatchObject({ complete: false });
  await bar(2).toMatchObject({ complete: true });
  await status('live', 600_000);
  await status('live', 0);
  await trade(3_900, 10);
  await trade(4_000, 10);
  await trade(5_000, 10);
  await bar(3).toMatchObject({ complete: false });
  await bar(4).toMatchObject({ complete: true });
});

it('is ready, and not ready while Redis is away', async () => {
  expect(service.readiness).toEqual({ ready: true, role: 'active', redis: 'connected' });
  await redis.kill();
  await expect.poll(() => service.readiness).toMatchObject({ ready: false, redis: 'disconnected' });
});

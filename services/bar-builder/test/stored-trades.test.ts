// A builder that starts alone, on a real Redis: what it takes from the stored messages, with and without partitions.

import { TcpProxy } from '@tickbus/fault-kit/proxy';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { Random } from '@tickbus/test-kit/random';
import {
  type Bar,
  type Channel,
  type Connection,
  type DeepReadonly,
  type From,
  type MessageOf,
  type Position,
  RedisConnection,
  RedisLease,
} from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startBarService, type TestBarService } from './bar-service.fixture.ts';
import { PublishedBars } from './published-bars.fixture.ts';

const { TRADES, BARS } = CHANNELS;
/** 2026-01-02 15:30 UTC. */
const START = Date.UTC(2026, 0, 2, 15, 30);
const SYMBOLS = ['AAPL', 'MSFT', 'NVDA'];
const WAIT = { timeout: 60_000 };

let redis: LocalRedis;
let connection: RedisConnection;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  redis = await startLocalRedis();
  connection = new RedisConnection({ url: redis.url, logger });
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await connection.close();
  await redis.kill();
});

/** A publisher with the lease of a channel, of which it sets the number of partitions. */
async function publisherOf(channel: Channel, partitions: number) {
  await useLeasesOnce(connection, channel, partitions);
  const lease = new RedisLease({ connection, channel, partitions, ttlMs: 60_000, logger });
  const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
  await lease.start();
  await gained;
  const publisher = new RedisPublisher({ connection, lease, deadlineMs: 60_000 });
  const close = async () => {
    await publisher.close();
    await lease.close();
  };
  return { publisher, close };
}

async function tradePublisher(partitions: number) {
  const { publisher, close } = await publisherOf(TRADES, partitions);
  closing.push(close);
  /** A trade of each instrument. @param after milliseconds after `START` */
  return async (after: number, symbols = SYMBOLS) => {
    for (const symbol of symbols)
      await publisher.publish(TRADES, { symbol, price: 100 + after, size: 2, timestamp: START + after });
  };
}

async function startService(options: { connection?: Connection } = {}): Promise<TestBarService> {
  const service = await startBarService(redis.url, { lengths: ['1s'], ...options });
  closing.push(() => service[Symbol.asyncDispose]());
  await service.isActive();
  return service;
}

async function observedBars(): Promise<PublishedBars> {
  const subscriber = new RedisSubscriber({ url: redis.url, logger });
  closing.push(() => subscriber.close());
  const bars = new PublishedBars();
  subscriber.tap(BARS, ({ message }) => bars.add(message.data));
  await subscriber.startListening();
  return bars;
}

/** The last revision of the bars of a second; the clock of the builder advances, but not that of the venue. */
function barsOf(second: number, bars: PublishedBars, service: TestBarService) {
  return expect.poll(async () => {
    service.clock.setNow(Date.now());
    await service.clock.advance(25);
    return SYMBOLS.map((symbol) => shown(bars.last.get(`${symbol}/1s/${START + second * 1_000}`)));
  }, WAIT);
}

const shown = (bar: DeepReadonly<Bar> | undefined) =>
  bar && { revision: bar.revision, complete: bar.complete, trades: bar.trades };

const all = (bar: ReturnType<typeof shown>) => SYMBOLS.map(() => bar);

describe.each([1, 16])('with %i partitions', (partitions) => {
  it('a builder that restarts alone continues from the stored trades, and publishes no bar again', async () => {
    const trade = await tradePublisher(partitions);
    await (await publisherOf(BARS, partitions)).close();
    const bars = await observedBars();
    const first = await startService();
    for (const after of [-1_000, 100, 600, 1_100]) await trade(after);
    await barsOf(0, bars, first).toEqual(all({ revision: 0, complete: true, trades: 2 }));
    await first[Symbol.asyncDispose]();
    await trade(1_600);
    await trade(2_100);
    const second = await startService();
    await trade(3_000);
    await barsOf(1, bars, second).toEqual(all({ revision: 0, complete: true, trades: 2 }));
    await barsOf(2, bars, second).toEqual(all({ revision: 0, complete: true, trades: 1 }));
    expect(bars.repeated).toEqual([]);
    expect(second.stats).toMatchObject({ ignored: { repeated: 0 }, failures: {} });
  });

  it('a late bot gets the last bars of its keys, and resumes after them', async () => {
    const trade = await tradePublisher(partitions);
    await (await publisherOf(BARS, partitions)).close();
    const bars = await observedBars();
    const service = await startService();
    for (let second = -1; second <= 5; second++) await trade(second * 1_000);
    await barsOf(4, bars, service).toEqual(all({ revision: 0, complete: true, trades: 1 }));
    const keys = SYMBOLS.map((symbol) => `${symbol}/1s`);
    const join = async (from: From) => {
      const bot = startBot(keys, from);
      await bot.subscriber.startListening();
      return bot;
    };
    const late = await join({ last: 2 });
    await expect.poll(() => late.starts(), WAIT).toEqual(SYMBOLS.map(() => [3, 4]));
    const positions = late.positions();
    await late.subscriber.close();
    await trade(6_000);
    await barsOf(5, bars, service).toEqual(all({ revision: 0, complete: true, trades: 1 }));
    const resumed = await join({ positions });
    await trade(7_000);
    await barsOf(6, bars, service).toEqual(all({ revision: 0, complete: true, trades: 1 }));
    await expect.poll(() => resumed.starts(), WAIT).toEqual(SYMBOLS.map(() => [5, 6]));
    expect([...late.gaps, ...resumed.gaps]).toEqual([]);
  });

  it('where one partition lost its trades, the stored trades of the others make no bars', async () => {
    const trade = await tradePublisher(partitions);
    const bars = await observedBars();
    for (const after of [-1_000, 0, 500]) await trade(after);
    const keys = await redis.answers('KEYS tickbus:{TRADES*}:history');
    const [history] = /tickbus:\S+/.exec(keys) ?? [];
    expect(await redis.answers(`DEL ${history}`)).toContain(':1');
    const service = await startService();
    for (const after of [1_000, 2_000, 3_000]) await trade(after);
    await barsOf(2, bars, service).toEqual(all({ revision: 0, complete: true, trades: 1 }));
    await barsOf(0, bars, service).toEqual(all(undefined));
  });

  it.each([
    ['a trade', true],
    ['a trade after an interruption of the feed', false],
  ])('%s that is published while the stored ones are read counts once', async (_, complete) => {
    const trade = await tradePublisher(partitions);
    await (await publisherOf(BARS, partitions)).close();
    const bars = await observedBars();
    await trade(-1_000);
    await using statuses = new RedisPublisher({ url: redis.url, logger });
    const report = (state: 'live' | 'down') =>
      statuses.publish(CHANNELS.FEED_STATUS, { feed: 'alpaca', state });
    await report('live');
    await using proxy = await TcpProxy.start({ port: redis.port, random: new Random(1) });
    const subscribing = new RedisConnection({ host: '127.0.0.1', port: proxy.port, logger });
    const own = new RedisConnection({ url: redis.url, logger });
    closing.push(() => subscribing.close());
    // The subscription gets the trade after the stored ones have been read.
    const read = own.publishing.read.bind(own.publishing);
    const spy = vi.spyOn(own.publishing, 'read').mockImplementation(async (channel, ...rest) => {
      const isFirst = spy.mock.calls.length === 1;
      if (isFirst) proxy.inject({ type: 'stall' }, 'to_client');
      if (isFirst && !complete) for (const state of ['down', 'live'] as const) await report(state);
      if (isFirst) await trade(100);
      const state = await read(channel, ...rest);
      if (channel.name.startsWith(BARS.name)) proxy.heal();
      return state;
    });
    const both = {
      publishing: own.publishing,
      subscribing: subscribing.subscribing,
      close: () => own.close(),
    };
    const service = await startService({ connection: both });
    await trade(1_000);
    await barsOf(0, bars, service).toEqual(all({ revision: 0, complete, trades: 1 }));
  });
});

function startBot(keys: readonly string[], from: From) {
  const subscriber = new RedisSubscriber({ url: redis.url, logger });
  closing.push(() => subscriber.close());
  const messages: MessageOf<typeof BARS>[] = [];
  const gaps: unknown[] = [];
  subscriber.on('gap', (gap) => gaps.push(gap));
  subscriber.subscribe(BARS, (message) => messages.push(message), { keys: [...keys], from });
  const of = (symbol: string) => messages.filter(({ data }) => data.symbol === symbol);
  return {
    subscriber,
    gaps,
    /** The seconds of the bars of each instrument, in order of delivery. */
    starts: () => SYMBOLS.map((symbol) => of(symbol).map(({ data }) => (data.start - START) / 1_000)),
    positions: () =>
      Object.fromEntries(
        SYMBOLS.map((symbol) => {
          const { epoch = 0, seq = 0 } = of(symbol).at(-1) ?? {};
          return [`${symbol}/1s`, { epoch, seq }] as [string, Position];
        }),
      ),
  };
}

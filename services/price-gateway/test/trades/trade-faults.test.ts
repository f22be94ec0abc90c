// Redis fails while trades are published: each is on TRADES once, or a gap reports it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { TradeEvent } from '@tickbus/capture';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { RedisConnection, systemClock } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { SymbolDemand } from '../../demand/symbol-demand.ts';
import { RateLimitedLog } from '../../monitoring/rate-limited-log.ts';
import { SessionTrades } from '../../trades/session-trades.ts';
import { noTrades } from '../../trades/trade-counts.ts';
import { SILENT } from '../gateway.fixture.ts';
import { TradeBot } from './trade-bot.fixture.ts';

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis();
  // Fenced by its token: the outcome is unknown after a lost reply.
  await redis.answers('ACL SETUSER narrow on >secret ~* &* +@all -client|list -client|kill');
});
afterAll(() => redis.kill());

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Warnings of the running test, with their fields. */
const warnings: string[] = [];
beforeEach(() => {
  warnings.length = 0;
});
const LOGGER = {
  ...silentLogger,
  warn: (fields: object, text: string) => void warnings.push(`${text} ${JSON.stringify(fields)}`),
};

async function start(user = 'default') {
  const connection = new RedisConnection({
    url: redis.url.replace('//', `//${user}:secret@`),
    logger: SILENT,
  });
  await useLeasesOnce(connection, CHANNELS.TRADES);
  const counts = noTrades();
  const trades = new SessionTrades({
    connection,
    channel: CHANNELS.TRADES,
    venue: undefined,
    leaseTtlMs: 2_500,
    clock: systemClock,
    demand: new SymbolDemand({ always: ['*'], graceMs: 0, limit: 10 }),
    counts,
    logger: LOGGER,
    warnings: new RateLimitedLog(LOGGER, 0),
  });
  const bot = await TradeBot.start(redis.url, []);
  cleanUps.push(
    () => connection.close(),
    () => bot[Symbol.asyncDispose](),
    () => trades.stop(),
  );
  return { connection, trades, counts, bot };
}

let now = Date.now() - 86_400_000;
const trade = (price: number): TradeEvent => ({
  kind: 'trade',
  symbol: 'AAPL',
  price,
  size: 1,
  timestamp: now++,
});

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

/** The prices on the channel, without repetitions that the subscriber reads again after a gap of its own. */
const sorted = (prices: readonly number[]) => prices.toSorted((one, other) => one - other);

it.each([
  ['connections are killed', 'CLIENT KILL TYPE normal SKIPME yes', undefined],
  ['the lease is lost', 'DEL tickbus:{TRADES}:lease', undefined],
  ['memory is full', 'CONFIG SET maxmemory 1', 'CONFIG SET maxmemory 0'],
])('publishes each trade once while %s', async (_, inject, repair) => {
  const { trades, counts, bot } = await start();
  let price = 0;
  for (let round = 0; round < 5; round++) {
    const until = counts.published + 100;
    while (counts.published < until) {
      for (let count = 0; count < 10; count++) trades.add(trade(++price));
      await sleep(1);
    }
    await redis.answers(inject);
    for (let count = 0; count < 1_000; count++) trades.add(trade(++price));
    await sleep(10);
    if (repair !== undefined) await redis.answers(repair);
  }
  await expect.poll(() => counts.published).toBe(price);
  expect(counts).toMatchObject({ lost: 0, repeated: 0, forgotten: 0 });
  await expect.poll(() => bot.prices.length).toBeGreaterThanOrEqual(price);
  expect(sorted(bot.prices)).toEqual(upTo(price));
});

it.each(['default', 'narrow'])(
  'publishes no trade of the user %s twice if the server hung for longer than the lease',
  async (user) => {
    const { trades, counts, bot } = await start(user);
    trades.add(trade(1));
    await expect.poll(() => bot.prices).toEqual([1]);
    process.kill(redis.pid ?? 0, 'SIGSTOP');
    try {
      for (let price = 2; price <= 600; price++) trades.add(trade(price));
      await expect.poll(() => warnings.join()).toContain('A trade was not published');
    } finally {
      process.kill(redis.pid ?? 0, 'SIGCONT');
    }
    trades.add(trade(601));
    await expect.poll(() => counts.published).toBe(601);
    await expect.poll(() => bot.prices.length).toBeGreaterThanOrEqual(601);
    expect(bot.prices).toEqual(upTo(601));
    expect(counts.lost).toBe(0);
  },
);

it('says how many trades are left at the end of a session that cannot publish', async () => {
  const { trades, bot } = await start();
  trades.add(trade(1));
  await expect.poll(() => bot.prices).toEqual([1]);
  await redis.answers('CONFIG SET maxmemory 1');
  try {
    for (const price of [2, 3, 4]) trades.add(trade(price));
    await expect.poll(() => warnings.join()).toContain('A trade was not published');
    trades.add(trade(5));
    await trades.stop();
  } finally {
    await redis.answers('CONFIG SET maxmemory 0');
  }
  const counts = /ends without the lease of TRADES.* \{"waiting":(\d+),"unsettled":(\d+)\}/.exec(
    warnings.join(),
  );
  expect(Number(counts?.[1]) + Number(counts?.[2])).toBe(4);
});

it('keeps the newest trades while another process holds the lease, and reports those that it drops', async () => {
  const { connection, trades, counts, bot } = await start();
  const other = connection.publishing.lease(CHANNELS.TRADES);
  await other.connect();
  const held = await other.acquire(60_000);
  if (held.state !== 'held') throw new Error(`The lease is ${held.state}.`);
  const [first] = Array.from({ length: 120_000 }, (_, index) => {
    const event = trade(index + 1);
    trades.add(event);
    return event;
  });
  expect(trades.waiting).toBeLessThanOrEqual(100_000);
  await other.release(held.token);
  await other.close();
  await expect.poll(() => bot.prices.at(-1)).toBe(120_000);
  const [dropped] = bot.of('trade_gap').filter(({ reason }) => reason === 'overflow');
  const firstPrice = bot.prices[0] ?? 0;
  expect(dropped).toMatchObject({ count: firstPrice - 1, symbol: 'AAPL' });
  expect(dropped?.from ?? 0).toBeLessThanOrEqual(first?.timestamp ?? 0);
  expect(dropped?.to).toBeGreaterThanOrEqual((first?.timestamp ?? 0) + firstPrice - 2);
  expect(bot.prices).toEqual(upTo(120_000).slice(firstPrice - 1));
  expect(counts.lost).toBe(firstPrice - 1);
}, 120_000);

it('knows after a takeover what was published, if the channel has partitions', async () => {
  const connection = new RedisConnection({ url: redis.url, logger: SILENT });
  cleanUps.push(() => connection.close());
  await connection.publishing.connect();
  await connection.publishing.setPartitions(CHANNELS.TRADES, 4);
  await useLeasesOnce(connection, CHANNELS.TRADES, 4);
  const first = await start();
  const events = upTo(20).map((price) => ({ ...trade(price), symbol: `S${price}` }));
  for (const event of events) first.trades.add(event);
  await expect.poll(() => first.bot.prices.length).toBe(20);
  await first.trades.stop();
  expect(await connection.publishing.read(CHANNELS.TRADES)).toMatchObject({ partitions: 4, entries: [] });
  const second = await start();
  for (const event of events) second.trades.add(event);
  second.trades.add({ ...trade(21), symbol: 'S1' });
  await expect.poll(() => second.counts).toMatchObject({ repeated: 20, published: 1 });
  await second.trades.stop();
  await connection.publishing.setPartitions(CHANNELS.TRADES, 1);
});

it.each(['late', 'corrected'])(
  'publishes nothing twice after a takeover whose oldest stored trade is %s',
  async (what) => {
    const first = await start();
    const [old, ...sent] = upTo(41).map((price) => ({ ...trade(price), symbol: 'OLD' })) as [
      TradeEvent,
      ...TradeEvent[],
    ];
    if (what === 'corrected') first.trades.add(old);
    for (const event of sent.slice(0, 30)) first.trades.add(event);
    const { history } = CHANNELS.TRADES;
    for (let price = 1; price <= history; price++) first.trades.add(trade(price));
    await expect.poll(() => first.counts.published).toBeGreaterThanOrEqual(history + 30);
    // Most of the 40 trades are no longer stored, and the oldest message about the instrument is about an older trade.
    const { kind: _, symbol, ...original } = old;
    if (what === 'late') first.trades.add(old);
    else {
      const corrected = { price: 99, size: 1, timestamp: old.timestamp };
      first.trades.add({ kind: 'correction', symbol, timestamp: now++, original, corrected });
    }
    for (const event of sent.slice(30)) first.trades.add(event);
    await expect.poll(() => first.bot.of('trade').at(-1)?.price).toBe(41);
    await first.trades.stop();

    const second = await start();
    for (const event of sent) second.trades.add(event);
    second.trades.add({ ...trade(42), symbol: 'OLD' });
    await expect.poll(() => second.counts.published).toBe(1);
    expect(second.counts).toMatchObject({ repeated: 10, forgotten: 30, late: 0 });
  },
  120_000,
);

it('reports a trade that cannot be published as a gap', async () => {
  const { trades, counts, bot } = await start();
  const invalid = { ...trade(1), symbol: 'x'.repeat(500) };
  trades.add(invalid);
  const rejected = { ...trade(2), taker_side: 'both' as 'buy' };
  trades.add(rejected);
  trades.add(trade(3));
  await expect.poll(() => bot.prices).toEqual([3]);
  await expect
    .poll(() => bot.of('trade_gap').filter(({ reason }) => reason === 'rejected'))
    .toEqual([
      { symbol: 'AAPL', from: rejected.timestamp, to: rejected.timestamp, count: 1, reason: 'rejected' },
    ]);
  expect(counts.lost).toBe(2);
});

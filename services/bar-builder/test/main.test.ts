// The bar builder as processes on a real Redis: bars, kill -9 of the active one, graceful shutdown, clear errors.

import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import type { Bar, Trade } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { recomputed } from './bars/random-market.fixture.ts';
import { BuilderProcess } from './processes.fixture.ts';
import { PublishedBars } from './published-bars.fixture.ts';

/** 2026-01-02 15:30 UTC. */
const START = Date.UTC(2026, 0, 2, 15, 30);

let redis: LocalRedis;
const builders: BuilderProcess[] = [];

beforeAll(async () => {
  redis = await startLocalRedis();
});

afterEach(async () => {
  await Promise.all(builders.splice(0).map((builder) => builder.kill()));
  await redis.answers('FLUSHALL');
});

afterAll(() => redis.kill());

function start(env: Record<string, string> = {}, ...args: string[]): BuilderProcess {
  const builder = new BuilderProcess({ REDIS_URL: redis.url, BARS: '1s,1m', ...env }, ...args);
  builders.push(builder);
  return builder;
}

/** Resolves with the active builder, then the standby. */
async function startTwo(env?: Record<string, string>): Promise<readonly [BuilderProcess, BuilderProcess]> {
  const both = [start(env), start(env)] as const;
  await Promise.all(both.map((builder) => builder.hasRole('standby')));
  await expect.poll(() => both.some(({ isActive }) => isActive)).toBe(true);
  return both[0].isActive ? both : [both[1], both[0]];
}

/** Publishes trades, four in a second of the venue, and keeps them. */
class Venue {
  readonly trades: (Trade & { order: number })[] = [];
  readonly #publisher: RedisPublisher;

  constructor(publisher: RedisPublisher) {
    this.#publisher = publisher;
  }

  async trade(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const order = this.trades.length;
      const [price, size] = [100 + ((order * 7) % 13), 1 + (order % 5)];
      const trade = { symbol: 'AAPL', price, size, timestamp: START + order * 250, trade_id: `t${order}` };
      this.trades.push({ ...trade, order });
      await this.#publisher.publish(CHANNELS.TRADES, trade);
    }
  }

  /** The bars of the finished seconds and minutes, without the first of each, which began before the builder. */
  expected(): ReadonlyMap<string, { trades: number; volume: number; prices: unknown }> {
    const last = this.trades.at(-1)?.timestamp ?? 0;
    const bars = new Map<string, { trades: number; volume: number; prices: unknown }>();
    for (const [name, lengthMs] of [
      ['1s', 1_000],
      ['1m', 60_000],
    ] as const) {
      for (const [key, { trades, volume, prices }] of recomputed(this.trades, lengthMs)) {
        const begin = Number(key.split('/')[1]);
        if (begin + lengthMs <= last) bars.set(`AAPL/${name}/${begin}`, { trades, volume, prices });
      }
    }
    return bars;
  }
}

const shown = ({
  trades,
  volume,
  open,
  high,
  low,
  close,
}: Pick<Bar, 'trades' | 'volume' | 'open' | 'high' | 'low' | 'close'>) => ({
  trades,
  volume,
  prices: { open, high, low, close },
});

it('kill -9 of the active builder: the standby publishes the rest, none missing, none twice', async () => {
  await using publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
  await using subscriber = new RedisSubscriber({ url: redis.url, logger: silentLogger });
  const bars = new PublishedBars();
  subscriber.tap(CHANNELS.BARS, ({ message }) => bars.add(message.data));
  await subscriber.startListening();
  const venue = new Venue(publisher);
  const [active, standby] = await startTwo({ BAR_GRACE_MS: '0' });

  await venue.trade(100);
  await expect.poll(() => bars.all.length).toBeGreaterThan(10);
  await active.kill();
  const before = bars.all.length;
  await venue.trade(200);
  await standby.hasRole('active');
  await venue.trade(40);

  const expected = venue.expected();
  expect(expected.size).toBeGreaterThan(80);
  const ofExpected = () =>
    new Map(
      [...expected.keys()].map((key) => {
        const bar = bars.last.get(key);
        return [key, bar && shown(bar)];
      }),
    );
  await expect.poll(ofExpected).toEqual(expected);
  expect(bars.all.length).toBeGreaterThan(before);
  expect(bars.repeated).toEqual([]);
  const incomplete = [...bars.last.values()].filter(({ complete }) => !complete);
  expect(incomplete.map(({ interval, start: begin }) => [interval, begin])).toEqual(
    expect.arrayContaining([['1s', START]]),
  );
  // Only the first second and the first minute began before the builders knew any trade.
  expect(new Set(incomplete.map(({ start: begin }) => begin))).toEqual(new Set([START]));
});

it('a builder that starts later takes over complete bars, because Redis keeps their trades', async () => {
  await using publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
  await using subscriber = new RedisSubscriber({ url: redis.url, logger: silentLogger });
  const bars = new PublishedBars();
  subscriber.tap(CHANNELS.BARS, ({ message }) => bars.add(message.data));
  await subscriber.startListening();
  const venue = new Venue(publisher);
  const first = start();
  await first.hasRole('active');
  await venue.trade(250);
  await expect.poll(() => bars.last.get(`AAPL/1s/${START + 60_000}`)).toMatchObject({ revision: 0 });
  await first.kill();
  // In the middle of the second minute.
  const second = start();
  await second.hasRole('active');
  await venue.trade(300);
  const minute = `AAPL/1m/${START + 60_000}`;
  await expect.poll(() => bars.last.get(minute)).toMatchObject({ complete: true, trades: 240 });
  expect(bars.repeated).toEqual([]);
});

it('is ready as active and as standby, serves its metrics, and exits with 0 on SIGTERM', async () => {
  const ports = [await freePort(), await freePort()];
  const both = ports.map((port) => start({ HTTP_PORT: String(port), CHANNEL: 'PRICE_DATA.kraken' }));
  const get = async (port: number, path: string) =>
    (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined))?.text();
  const roles = async () => {
    const answers = await Promise.all(ports.map((port) => get(port, '/readyz')));
    return answers
      .map((answer) => JSON.parse(answer ?? '{}'))
      .filter(({ ready }) => ready)
      .map(({ role }) => role)
      .sort();
  };
  await expect.poll(roles).toEqual(['active', 'standby']);
  expect(await get(ports[0] ?? 0, '/healthz')).toBe('{"status":"ok"}');
  expect(await get(ports[0] ?? 0, '/metrics')).toMatch(/tickbus_bars_ignored_total\{reason="tooLate"\} 0/);
  for (const builder of both) builder.child.kill('SIGTERM');
  expect(await Promise.all(both.map(({ exit }) => exit))).toEqual([
    [0, null],
    [0, null],
  ]);
  const log = both[0]?.lines.items.join();
  expect(log).toContain('"reads":"TRADES.kraken","publishes":"BARS.kraken"');
  // Without this line, a user waits for bars that never come.
  expect(log).toMatch(/SYMBOLS is not set, so the bar builder requests no instrument: .* Set SYMBOLS/);
});

it.each([
  [{ BARS: '1s,2d' }, /^BARS must be lengths from 1s to 1d[^\n]+\.$/],
  [{ BAR_TIME_ZONE: 'New York' }, /^BAR_TIME_ZONE must be a time zone of the IANA database[^\n]+\.$/],
  [{ REDIS_URL: 'redis://127.0.0.1:1', LOG_LEVEL: 'silent' }, /^[^\n]*127\.0\.0\.1:1[^\n]*$/],
  [
    { HTTP_HOST: '192.0.2.1', HTTP_PORT: '9470' },
    /^Cannot serve \/healthz and \/metrics on 192\.0\.2\.1:9470/,
  ],
])('exits with one clear error for %j', async (env, expected) => {
  const builder = start(env as Record<string, string>);
  expect(await builder.exit).toEqual([1, null]);
  expect(builder.lines.items).toEqual([expect.stringMatching(expected)]);
});

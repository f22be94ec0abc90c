// `tickbus price` against a real server: the price, its age, and the verdict.

import { startLocalRedis } from '@tickbus/local-redis';
import { createClient } from 'redis';
import { describe, expect, it } from 'vitest';
import { call, jsonLines, startInTerminal, tickbus, withoutColours, withServer } from './harness.ts';

const server = withServer();
const { env, publish } = server;
const price = (symbol: string, value: number) =>
  publish('PRICE_DATA', { symbol, price: value, bid: value - 0.5, timestamp: Date.now() });
const heartbeat = (state: string) =>
  publish('FEED_STATUS', {
    feed: 'f',
    state,
    interval_ms: 600_000,
    last_frame_ago_ms: 0,
    live_for_ms: 600_000,
  });
const verdicts = async (...args: string[]) => {
  const { code, stdout } = await call(['price', ...args, '--json'], { env: env() });
  return { code, verdicts: jsonLines(stdout).map(({ verdict }) => verdict) };
};

it('shows a fresh price, and exits with 3 if a required price is not fresh, as a process', async () => {
  await price('AAPL', 187.5);
  await heartbeat('live');
  const { code, stdout, stderr } = await tickbus(['price', 'AAPL', 'NONE', '--max-age', '10m'], {
    env: env(),
  });
  expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^SYMBOL +PRICE +BID +ASK +AGE +CONFIRMED +VERDICT$/);
  expect(lines[1]).toMatch(/^AAPL +187\.5 +187 +- +[\d.]+ m?s +[\d.]+ m?s +fresh$/);
  expect(lines[2]).toMatch(
    /^NONE +- +- +- +never +[\d.]+ m?s +quiet_market +No value of this key has ever come, .*/,
  );
  const fresh = await call(['price', 'AAPL', '--max-age', '10m', '--json'], { env: env() });
  expect(fresh.code).toBe(0);
  expect(jsonLines(fresh.stdout)).toEqual([
    {
      symbol: 'AAPL',
      verdict: 'fresh',
      reason: expect.any(String),
      changed_ago_ms: expect.any(Number),
      confirmed_ago_ms: expect.any(Number),
      data: { symbol: 'AAPL', price: 187.5, bid: 187, timestamp: expect.any(Number) },
    },
  ]);
});

it('shows the price band of a venue, if one is known', async () => {
  await price('BANDED', 187.5);
  await heartbeat('live');
  const status = { symbol: 'BANDED', feed: 'f', state: 'subscribed' };
  await publish('INSTRUMENT_STATUS', { ...status, limit_down: 178.1, limit_up: 196.85 });
  const { stdout } = await call(['price', 'BANDED', 'NONE'], { env: env() });
  const [head = '', banded, none] = stdout.split('\n');
  expect(head).toMatch(/^SYMBOL +PRICE +BID +ASK +BAND +AGE /);
  expect(banded).toMatch(/^BANDED +187\.5 +187 +- +178\.1\.\.196\.85 /);
  expect(none).toMatch(/^NONE +- +- +- +- +never /);
  const json = await call(['price', 'BANDED', '--json'], { env: env() });
  expect(jsonLines(json.stdout)).toMatchObject([{ limit_down: 178.1, limit_up: 196.85 }]);
});

it.each([
  ['halted', 'The venue has halted trading in this key: News Pending.'],
  ['no_price', 'The venue has neither a trade nor both sides of a quote for this key.'],
])(
  'shows an instrument whose market is %s as such, and exits with 3 if a fresh price is required',
  async (market, reason) => {
    await price('PAUSED', 187.5);
    await heartbeat('live');
    const status = { symbol: 'PAUSED', feed: 'f', state: 'subscribed', detail: 'News Pending.' };
    await publish('INSTRUMENT_STATUS', { ...status, market });
    const { code, stdout } = await call(['price', 'PAUSED', '--max-age', '10m', '--json'], { env: env() });
    expect([code, ...jsonLines(stdout)]).toMatchObject([3, { verdict: market, reason }]);
    await publish('INSTRUMENT_STATUS', { ...status, market: 'trading' });
    expect(await verdicts('PAUSED', '--max-age', '10m')).toEqual({ code: 0, verdicts: ['fresh'] });
  },
);

it('refreshes a table on a terminal, until Ctrl-C', async () => {
  await heartbeat('live');
  const watching = startInTerminal(['price', 'TICK', '--watch'], { env: env() });
  await watching.out(/TICK/);
  await price('TICK', 42.25);
  await watching.out(/42\.25/);
  watching.type('\x03');
  const { code, stdout } = await watching.ended;
  expect(code).toBe(130);
  expect(withoutColours(stdout)).toMatch(/TICK +42\.25 +41\.75 +-/);
});

describe('price', () => {
  it('keeps age and verdict visible on a narrow terminal', async () => {
    const { stdout } = await call(['price', 'NARROW'], { env: env(), terminal: true, columns: 40 });
    const [head = '', line = ''] = withoutColours(stdout).split('\n');
    expect(head).toBe('SYMBOL  PRICE    AGE  VERDICT');
    expect(line).toMatch(/^NARROW {6}- {2}never {2}\w+ /);
  });

  it('reports which link is down, and fails only with --max-age', async () => {
    await price('LINK', 1);
    await heartbeat('down');
    expect(await verdicts('LINK', '--max-age', '10m')).toEqual({ code: 3, verdicts: ['feed_down'] });
    expect(await verdicts('LINK')).toEqual({ code: 0, verdicts: ['feed_down'] });
    await heartbeat('stopped');
    expect(await verdicts('LINK', '--max-age', '10m')).toEqual({ code: 3, verdicts: ['gateway_down'] });
    await heartbeat('live');
    expect(await verdicts('LINK', '--max-age', '10m')).toEqual({ code: 0, verdicts: ['fresh'] });
    expect(await verdicts('LINK', '--max-age', '1ms')).toEqual({ code: 3, verdicts: ['quiet_market'] });
  });

  it('warns that the user may not read last values, instead of waiting', async () => {
    const admin = createClient({ url: server.redis.url });
    await admin.connect();
    await admin.aclSetUser('ears', ['on', '>pw', 'allchannels', '+@connection', '+subscribe', '+time']);
    admin.destroy();
    const url = server.redis.url.replace('//', '//ears:pw@');
    const { stdout, stderr } = await call(['price', 'X', '--url', url]);
    expect(stdout).toMatch(/^X .*recovering/m);
    expect(stderr).toMatch(
      /^warning: Cannot read the last values of PRICE_DATA: Redis at \S+ rejected the command: NOPERM/m,
    );
  });

  it('never reports a price as fresh without a gateway status', async () => {
    await using alone = await startLocalRedis();
    const { code, stdout } = await call(['price', 'X', '--max-age', '1h', '--url', alone.url]);
    expect(code).toBe(3);
    expect(stdout).toMatch(/X +- +- +- +never +never +gateway_down/);
  });

  it.each([
    [['price'], 64, /missing required argument 'symbol'/],
    [['price', 'A', ''], 64, /A symbol is empty/],
    [['price', 'A', '--max-age', '-1'], 64, /Use a time/],
    [['price', 'A', '--url', 'redis://127.0.0.1:1'], 1, /Cannot connect to Redis/],
  ])('fails for %j', async (args, expected, sentence) => {
    const { code, stdout, stderr } = await call(args);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
    expect(stderr).toMatch(sentence);
  });
});

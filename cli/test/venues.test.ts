// The command with several venues: a channel of a venue can be named wherever a channel can be.

import { describe, expect, it } from 'vitest';
import { checkFeed } from '../checks.ts';
import type { StoredValue } from '../stored-values.ts';
import { call, jsonLines, withServer } from './harness.ts';

const server = withServer();
const { env, publish } = server;
const KRAKEN = 'PRICE_DATA.kraken';
const heartbeat = (more: object) =>
  publish('FEED_STATUS', {
    feed: 'alpaca',
    state: 'live',
    interval_ms: 600_000,
    last_frame_ago_ms: 0,
    live_for_ms: 600_000,
    ...more,
  });
const run = (...args: string[]) => call(args, { env: env() });

it('publishes and shows the messages of a venue, validated and numbered', async () => {
  expect(await publish(KRAKEN, { symbol: 'BTC/USD', price: 7, timestamp: 0 })).toMatchObject({ code: 0 });
  const { code, stdout, stderr } = await run('sub', KRAKEN, '--snapshot', '-n', '1', '--key', 'BTC/USD');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(jsonLines(stdout)).toMatchObject([{ seq: 1, data: { price: 7 } }]);
  const invalid = await publish('TRADES.kraken', { symbol: 'BTC/USD', price: 'high' });
  expect(invalid.code).not.toBe(0);
  expect(invalid.stderr).toMatch(/price/);
});

describe('price', () => {
  it('judges a price by the gateway of its own channel', async () => {
    await publish(KRAKEN, { symbol: 'ETH/USD', price: 7, timestamp: 0 });
    await publish('PRICE_DATA', { symbol: 'ETH/USD', price: 8, timestamp: 0 });
    await heartbeat({ channel: KRAKEN });
    await heartbeat({ state: 'down' });
    const verdicts = async (...args: string[]) =>
      jsonLines((await run('price', 'ETH/USD', '--json', '--max-age', '10m', ...args)).stdout);
    expect(await verdicts('--channel', KRAKEN)).toMatchObject([{ verdict: 'fresh', data: { price: 7 } }]);
    expect(await verdicts()).toMatchObject([{ verdict: 'feed_down', data: { price: 8 } }]);
  });

  it('says that nobody requests an instrument, or that the venue does not know it', async () => {
    await heartbeat({ channel: KRAKEN, reports_instruments: true });
    const about = { feed: 'alpaca', channel: KRAKEN, symbol: 'BTC/UDS', state: 'unknown' };
    await publish('INSTRUMENT_STATUS', { ...about, detail: 'No such pair.' });
    const { stdout } = await run('price', 'XRP/USD', 'BTC/UDS', '-c', KRAKEN);
    expect(stdout).toMatch(
      /^XRP\/USD .* not_requested +The gateway of alpaca has no subscription to this key: /m,
    );
    expect(stdout).toMatch(/^BTC\/UDS .* unknown_instrument .* Check its spelling: No such pair\.$/m);
  });

  it.each(['TRADES', 'kraken', 'PRICE_DATA.', 'PRICE_DATA.a b'])('rejects the channel %s', async (name) => {
    const { code, stderr } = await run('price', 'X', '--channel', name);
    expect(code).toBe(64);
    expect(stderr).toContain('is not a channel of prices. Use PRICE_DATA, or that of a venue');
  });
});

describe('check feed', () => {
  it('distinguishes two feeds of one kind, and accepts the name of a feed or of a channel', async () => {
    await heartbeat({});
    const detail = 'The mapping returned nothing.';
    await heartbeat({ channel: KRAKEN, state: 'degraded', detail });
    const degraded =
      /^CRITICAL: alpaca on PRICE_DATA\.kraken is degraded: The mapping returned nothing, last frame/;
    expect((await run('check', 'feed', KRAKEN)).stdout).toMatch(degraded);
    expect((await run('check', 'feed', 'PRICE_DATA')).stdout).toMatch(/^OK: alpaca is live, last frame/);
    for (const all of [
      ['check', 'feed'],
      ['check', 'feed', 'alpaca'],
    ])
      expect((await run(...all)).stdout).toMatch(/PRICE_DATA\.kraken is degraded.*; alpaca is live/);
    const { stdout } = await run('check', 'gateway', '--format', 'prometheus');
    expect(stdout).toContain('metric="alpaca_heartbeat"');
    expect(stdout).toContain('metric="PRICE_DATA.kraken_heartbeat"');
    expect(await run('check', 'feed', 'PRICE_DATA.other')).toMatchObject({ code: 2 });
  });

  it.each(['degraded', 'down'])('is critical for a feed that is %s', (state) => {
    const data = { feed: 'f', state, detail: 'Half of it.', interval_ms: 1_000 };
    const value: StoredValue = {
      key: 'f',
      ageMs: 0,
      envelope: { message_type: 'feed_status', data, timestamp: 0, sender: 's' },
    };
    expect(checkFeed(value, {})).toMatchObject({ status: 'critical', summary: `f is ${state}: Half of it` });
  });
});

it('doctor inspects the channels of venues whose gateways have a status', async () => {
  await heartbeat({ channel: 'PRICE_DATA.broken' });
  await server.redis.answers('HSET tickbus:{PRICE_DATA.broken}:head epoch abc');
  const { stdout } = await run('doctor', '--json');
  expect(stdout).toContain('DEL tickbus:{PRICE_DATA.broken}:head');
});

// Instruments: delivery state, verdict with reason, candles and hop latencies.

import { CHANNELS } from 'tickbus/constants';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Delta, Snapshot } from '../page-protocol.ts';
import { EventStreamReader, eventually } from './monitor.fixture.ts';
import { MonitorServer } from './monitor-server.fixture.ts';

let server: MonitorServer;
beforeAll(async () => {
  server = await MonitorServer.open();
});
afterAll(() => server.close());

it('shows an instrument unknown to the broker, and its later delivery', async () => {
  const about = { symbol: 'NOSUCH', feed: 'test' } as const;
  await server.publisher.publish(CHANNELS.FEED_STATUS, { feed: 'test', state: 'live' });
  const stream = await EventStreamReader.open(`${server.monitor.url}/api/stream`);
  const detail = 'No such symbol.';
  await server.publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, state: 'unknown', detail });
  const shown = await until(stream, ({ prices }) => prices?.find(({ symbol }) => symbol === 'NOSUCH'));
  expect(shown).toMatchObject({ instrument: 'unknown', detail, look: 'stale' });
  expect(shown).not.toHaveProperty('price');
  expect(JSON.parse((await server.get('/api/instruments/NOSUCH')).body)).toMatchObject({
    candles: [],
    hops: [],
  });

  await server.publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, state: 'subscribed' });
  const event = await until(stream, ({ events }) => events?.find(({ text }) => text.includes('delivers')));
  expect(event).toMatchObject({ kind: 'instrument', severity: 'info', text: 'test delivers NOSUCH.' });
  stream.close();
  const again = await EventStreamReader.open(`${server.monitor.url}/api/stream`);
  const { events } = JSON.parse((await again.next()).data) as Snapshot;
  const text = 'test does not know NOSUCH. No such symbol.';
  expect(events).toContainEqual(expect.objectContaining({ kind: 'instrument', severity: 'warn', text }));
  again.close();
});

it('shows the verdict of the library with its reason', async () => {
  await server.publisher.publish(CHANNELS.FEED_STATUS, {
    feed: 'test',
    state: 'live',
    interval_ms: 60_000,
  });
  await server.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'JUDGED', price: 1, timestamp: Date.now() });
  const stream = await EventStreamReader.open(`${server.monitor.url}/api/stream`);
  const verdict = (expected: string) =>
    until(stream, ({ prices }) =>
      prices?.find(({ symbol, verdict }) => symbol === 'JUDGED' && verdict === expected),
    );
  expect(await verdict('fresh')).toMatchObject({ look: 'fresh', changedAt: expect.any(Number) });
  await server.publisher.publish(CHANNELS.FEED_STATUS, {
    feed: 'test',
    state: 'down',
    detail: 'Gone.',
  });
  expect(await verdict('feed_down')).toMatchObject({ look: 'stale' });
  const { reason } = JSON.parse((await server.get('/api/instruments/JUDGED')).body);
  expect(reason).toBe('The feed test is down: Gone.');
  stream.close();
});

it.each(['halted', 'no_price'] as const)(
  'shows an instrument whose market is %s, and that it trades again',
  async (market) => {
    const about = { symbol: `IS_${market}`, feed: 'test', state: 'subscribed' } as const;
    const live = { feed: 'test', state: 'live', interval_ms: 600_000 } as const;
    await server.publisher.publish(CHANNELS.FEED_STATUS, live);
    await server.publisher.publish(CHANNELS.INSTRUMENT_STATUS, about);
    const trade = () =>
      server.publisher.publish(CHANNELS.PRICE_DATA, {
        symbol: about.symbol,
        price: 1,
        timestamp: Date.now(),
      });
    await trade();
    const stream = await EventStreamReader.open(`${server.monitor.url}/api/stream`);
    const row = (verdict: string) =>
      until(stream, ({ prices }) =>
        prices?.find((one) => one.symbol === about.symbol && one.verdict === verdict),
      );
    await row('fresh');
    await server.publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, market, detail: 'News Pending.' });
    expect(await row(market)).toMatchObject({ look: 'stale' });
    const { reason } = JSON.parse((await server.get(`/api/instruments/${about.symbol}`)).body);
    expect(reason).toMatch(/^The venue has (halted trading in this key: News Pending\.|neither a trade nor)/);
    await server.publisher.publish(CHANNELS.INSTRUMENT_STATUS, about);
    await trade();
    expect(await row('fresh')).toMatchObject({ look: 'fresh' });
    stream.close();
  },
);

it('returns candles and hop latencies of an instrument', async () => {
  const timestamp = Date.now() - 50;
  await server.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'WAY', price: 10, timestamp });
  await server.publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'WAY', price: 12, timestamp });
  const instrument = await eventually(async () => {
    const { status, body } = await server.get('/api/instruments/WAY');
    expect(status).toBe(200);
    const found = JSON.parse(body);
    expect(found.candles.at(-1)).toMatchObject({ close: 12 });
    return found;
  });
  expect(instrument.hops.map(({ name }: { name: string }) => name)).toEqual([
    'broker to gateway',
    'gateway to Redis',
    'Redis to monitor',
  ]);
  expect(instrument.hops[0].last).toBeGreaterThanOrEqual(50);
  expect((await server.get('/api/instruments/NEVER')).status).toBe(404);
});

/** Reads frames until `find` returns a value. */
async function until<T>(stream: EventStreamReader, find: (frame: Delta) => T | undefined): Promise<T> {
  for (;;) {
    const found = find(JSON.parse((await stream.next()).data) as Delta);
    if (found !== undefined) return found;
  }
}

// Several venues: their prices, verdicts and links beside each other.

import { startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import type { FeedStatus } from 'tickbus';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS, priceChannel } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BusObserver } from '../bus-observer.ts';
import { feedIndicators, type ShownFeed } from '../model/feed-indicators.ts';
import type { Snapshot } from '../page-protocol.ts';
import { EventStreamReader, eventually } from './monitor.fixture.ts';
import { MonitorServer } from './monitor-server.fixture.ts';

const KRAKEN = priceChannel('kraken');

let server: MonitorServer;
beforeAll(async () => {
  server = await MonitorServer.open();
});
afterAll(() => server.close());

const heartbeat = (publisher: RedisPublisher, more: Partial<FeedStatus> = {}) =>
  publisher.publish(CHANNELS.FEED_STATUS, { feed: 'alpaca', state: 'live', interval_ms: 600_000, ...more });

async function snapshot(): Promise<Snapshot> {
  const stream = await EventStreamReader.open(`${server.monitor.url}/api/stream`);
  const { data } = await stream.next();
  stream.close();
  return JSON.parse(data) as Snapshot;
}

it('shows the prices of each venue with the verdict of its own gateway, and the worst link', async () => {
  const { publisher } = server;
  const price = { symbol: 'AAPL', timestamp: Date.now() };
  await heartbeat(publisher);
  await heartbeat(publisher, { channel: KRAKEN.name, state: 'degraded', detail: 'Half of it is missing.' });
  await publisher.publish(CHANNELS.PRICE_DATA, { ...price, price: 1 });
  await publisher.publish(KRAKEN, { ...price, price: 2 });
  const rows = await eventually(async () => {
    const { prices } = await snapshot();
    const shown = prices.map(({ symbol, price: value, verdict }) => [symbol, value, verdict]);
    expect(shown).toContainEqual(['AAPL (kraken)', 2, 'feed_down']);
    return shown;
  });
  expect(rows).toContainEqual(['AAPL', 1, 'fresh']);
  // The indicators are judged once a second, and a price of 5 s ago is no longer fresh.
  const { lamps, events } = await eventually(async () => {
    await publisher.publish(CHANNELS.PRICE_DATA, { ...price, price: 1 });
    const shown = await snapshot();
    expect(shown.lamps.data).toMatchObject({ state: 'ok', text: 'fresh' });
    return shown;
  });
  expect(lamps.broker).toMatchObject({
    state: 'bad',
    text: 'degraded',
    detail: expect.stringMatching(
      /^PRICE_DATA\.kraken: Half of it is missing\. .*PRICE_DATA: Connected to alpaca\./,
    ),
  });
  // Once a second.
  await eventually(async () =>
    expect((await snapshot()).channels.map(({ name }) => name)).toContain('PRICE_DATA.kraken'),
  );
  expect(events.map(({ text }) => text)).toContain(
    'The feed alpaca on PRICE_DATA.kraken is degraded. Half of it is missing.',
  );
  const { body } = await server.get(`/api/instruments/${encodeURIComponent('AAPL (kraken)')}`);
  expect(JSON.parse(body)).toMatchObject({ symbol: 'AAPL (kraken)', verdict: 'feed_down' });
});

it('shows an instrument that only one of the venues does not know', async () => {
  const { publisher } = server;
  await heartbeat(publisher, { channel: KRAKEN.name });
  const about = { symbol: 'MISSPELT', feed: 'alpaca' } as const;
  await publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...about, state: 'unknown', channel: KRAKEN.name });
  await eventually(async () => {
    const { prices } = await snapshot();
    expect(prices.filter(({ symbol }) => symbol.startsWith('MISSPELT'))).toMatchObject([
      { symbol: 'MISSPELT (kraken)', verdict: 'unknown_instrument', look: 'stale', instrument: 'unknown' },
    ]);
  });
});

it('goes on with the other channels if its user may not subscribe to that of a venue', async () => {
  await using redis = await startLocalRedis();
  await redis.answers(
    'ACL SETUSER monitor on >secret ~* +@all resetchannels &tickbus:* ' +
      Object.values(CHANNELS)
        .map(({ name }) => `&${name}`)
        .join(' '),
  );
  const url = redis.url.replace('//', '//monitor:secret@');
  await using connection = new RedisConnection({ url, logger: silentLogger });
  const about = { redis: 'here', canSend: false, commands: [], maxAgeMs: 600_000, version: '0' };
  const observer = new BusObserver({ connection, about, logger: silentLogger, refusedRetryMs: 20 });
  observer.start();
  await using publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
  const verdicts = async () => {
    await heartbeat(publisher);
    await heartbeat(publisher, { channel: KRAKEN.name });
    await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 1, timestamp: 0 });
    const status = { symbol: 'AAPL', feed: 'alpaca', state: 'unknown' } as const;
    await publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...status, channel: KRAKEN.name });
    observer.state.update(Date.now());
    return observer.state.instrument('AAPL (kraken)')?.verdict;
  };
  await expect.poll(verdicts, { timeout: 50_000 }).toBe('link_down');
  // While it tries again, the verdict is `recovering`.
  for (let round = 0; round < 5; round++) expect(['link_down', 'recovering']).toContain(await verdicts());
  await expect.poll(() => observer.state.instrument('AAPL')?.verdict, { timeout: 50_000 }).toBe('fresh');
  await observer.close();
});

it.each([
  [['live', 'live'], 'ok', 'ok'],
  [['live', 'down'], 'bad', 'ok'],
  [['connecting', 'down'], 'bad', 'warn'],
  [[], 'bad', 'bad'],
] as const)('the links of feeds that are %j are together %s, the best is %s', (states, worst, best) => {
  const feeds = states.map(
    (state, index): ShownFeed => ({
      channel: `PRICE_DATA.v${index}`,
      heartbeat: { status: { feed: 'f', state }, receivedAt: 0 },
      heldLease: undefined,
    }),
  );
  const { broker, bestState } = feedIndicators(feeds, 'ok', 0, 0);
  expect([broker.state, bestState]).toEqual([worst, best]);
});

// A takeover on a cluster whose nodes share the partitions of PRICE_DATA and TRADES: the new gateway knows what is
// stored in all of them.

import type { TradeEvent } from '@tickbus/capture';
import { LocalCluster } from '@tickbus/local-redis/cluster';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createGateway } from '../../gateway.ts';
import { SILENT } from '../gateway.fixture.ts';
import { TradeBot } from './trade-bot.fixture.ts';
import { TRADE_VENUES, type TradeVenue } from './trade-venues.fixture.ts';

const PARTITIONS = 4;
const patient = { timeout: 60_000 };

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

const start = Date.now() - 3_600_000;

async function startGateway(connection: RedisConnection, venue: TradeVenue) {
  const gateway = createGateway({
    createFeed: () => venue.createFeed(),
    connection,
    symbols: venue.symbols,
    trades: 'all',
    partitions: PARTITIONS,
    leaseTtlMs: 2_500,
    logger: SILENT,
  });
  await gateway.start();
  await expect.poll(() => gateway.stats.feed?.state, patient).toBe('live');
  return gateway;
}

it('publishes nothing twice and nothing older after a takeover', async () => {
  await using connection = new RedisConnection({ url: cluster.url, logger: SILENT });
  await connection.publishing.connect();
  await connection.publishing.setPartitions(CHANNELS.TRADES, PARTITIONS);
  await useLeasesOnce(connection, CHANNELS.TRADES, PARTITIONS);
  await useLeasesOnce(connection, CHANNELS.PRICE_DATA, 1, PARTITIONS);
  const venue = await TRADE_VENUES.websocket();
  const { symbols } = venue;
  /** A trade of each instrument. */
  const send = (n: number) =>
    venue.send(
      symbols.map(
        (symbol): TradeEvent => ({ kind: 'trade', symbol, price: n, size: 1, timestamp: start + n }),
      ),
    );
  await using bot = await TradeBot.start(cluster.url, []);
  const published = () =>
    symbols.map((key) => bot.of('trade').flatMap(({ symbol, price }) => (symbol === key ? [price] : [])));
  const upTo = (last: number) => symbols.map(() => Array.from({ length: last }, (_, index) => index + 1));
  const first = await startGateway(connection, venue);
  for (let n = 1; n <= 20; n++) send(n);
  await expect.poll(published, patient).toEqual(upTo(20));
  await first.stop();

  const second = await startGateway(connection, venue);
  for (let n = 11; n <= 21; n++) send(n);
  await expect.poll(published, patient).toEqual(upTo(21));
  await expect
    .poll(() => second.stats.trades, patient)
    .toMatchObject({ repeated: 10 * symbols.length, published: symbols.length, forgotten: 0, late: 0 });
  // Of each instrument, the last price may be published once more.
  expect(second.stats.dropped.late).toBeGreaterThanOrEqual(9 * symbols.length);
  const { partitions } = await connection.publishing.head(CHANNELS.TRADES);
  expect(partitions).toBe(PARTITIONS);
  await second.stop();
});

// A subscriber of several partitions whose server forgets them, or has older memory.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import {
  closeAfterEach,
  newPlainClient,
  type PlainClient,
  until,
  untilAccepted,
} from '../integration/integration.fixture.ts';
import { fills, leasedPublisher, listen, SYMBOLS } from './partitions.fixture.ts';

const PARTITIONS = 8;

let redis: LocalRedis;
let admin: PlainClient;
beforeAll(async () => {
  redis = await startLocalRedis();
  admin = newPlainClient(redis.url);
  await admin.connect();
});
afterAll(async () => {
  admin.destroy();
  await redis.kill();
});
beforeEach(() => admin.flushAll());

const closing = closeAfterEach();

/** A subscriber that follows its partitions, which nobody publishes on any more. */
async function following() {
  const connection = new RedisConnection({ url: redis.url, logger });
  closing.push(() => connection.close());
  await useLeasesOnce(connection, fills(), PARTITIONS);
  const listener = await listen(connection, fills());
  closing.push(() => listener.subscriber.close({ timeoutMs: 0 }));
  const holder = await leasedPublisher(connection, fills(PARTITIONS));
  await Promise.all(SYMBOLS.map((symbol) => holder.publisher.publish(fills(), { symbol, n: 1 })));
  await listener.received.reaches(SYMBOLS.length);
  await holder.close();
  return { connection, ...listener };
}

async function headQueries(): Promise<number> {
  const stats = await admin.info('commandstats');
  return Number(/cmdstat_hmget:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

it('a subscriber asks an empty server for each partition about once a second', async () => {
  const { gaps } = await following();
  await admin.flushAll();
  // Another program has written to one partition, so the server cannot show that it has ended.
  await admin.hSet(`tickbus:{FILLS#3/${PARTITIONS}}:head`, { epoch: '5', seq: '0' });
  await until(() => gaps.length >= PARTITIONS);
  const before = await headQueries();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect((await headQueries()) - before).toBeLessThan(10 * PARTITIONS);
});

it.each([undefined, 4, PARTITIONS])(
  'after a loss of memory, messages of a holder who wants %s partitions arrive',
  async (next) => {
    const { connection, received, subscriber } = await following();
    await admin.flushAll();
    await useLeasesOnce(connection, fills(), next ?? 1);
    const holder = await leasedPublisher(connection, fills(next));
    closing.push(holder.close);
    for (const symbol of SYMBOLS)
      await untilAccepted(() => holder.publisher.publish(fills(), { symbol, n: 2 }));
    await Promise.all(
      SYMBOLS.map((symbol) => received.first((tick) => tick.symbol === symbol && tick.n === 2)),
    );
    await until(() => subscriber.status(fills())?.mode === 'live');
    expect(subscriber.status(fills())?.partitions).toBe(next ?? 1);
    expect(received.items).toHaveLength(2 * SYMBOLS.length);
  },
  8_000,
);

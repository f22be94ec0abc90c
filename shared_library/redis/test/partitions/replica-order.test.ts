// Messages that replicas confirm keep their order while a new connection asks for the permission to use WAIT.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { RedisPublisher } from '../../publisher.ts';
import { HoldingProxy } from '../integration/holding-proxy.fixture.ts';
import { closeAfterEach } from '../integration/integration.fixture.ts';
import { fills, leasedPublisher, listen, SYMBOLS } from './partitions.fixture.ts';

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

const closing = closeAfterEach();

it.each([1, 4])(
  'with %i partitions, the first messages of a connection keep the order of their keys',
  async (count) => {
    await redis.answers('FLUSHALL');
    const direct = new RedisConnection({ url: redis.url, logger });
    closing.push(() => direct.close());
    await useLeasesOnce(direct, fills(), count);
    const proxy = await HoldingProxy.start(redis.port);
    closing.push(() => proxy[Symbol.asyncDispose]());
    const connection = new RedisConnection({ url: proxy.url, logger });
    closing.push(() => connection.close());
    const { lease, close } = await leasedPublisher(connection, fills(count));
    closing.push(close);
    const { received, subscriber } = await listen(direct, fills());
    closing.push(() => subscriber.close({ timeoutMs: 0 }));
    const publisher = new RedisPublisher({ connection, lease, replicas: 1, deadlineMs: 500 });
    closing.push(() => publisher.close());

    const asked = proxy.stopAt('WAIT');
    const sent: Promise<unknown>[] = [];
    // Without a replica, each is published and not confirmed.
    const publishRound = (n: number) => {
      for (const symbol of SYMBOLS) sent.push(publisher.publish(fills(count), { symbol, n }).catch(() => {}));
    };
    publishRound(1);
    const answer = await asked;
    publishRound(2);
    await new Promise((resolve) => setImmediate(resolve));
    answer();
    const all = await received.reaches(2 * SYMBOLS.length);
    for (const symbol of SYMBOLS)
      expect(all.filter((tick) => tick.symbol === symbol).map(({ n }) => n)).toEqual([1, 2]);
    await Promise.all(sent);
  },
);

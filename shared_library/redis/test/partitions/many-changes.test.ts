// What is left after many changes of the number of partitions.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { RedisLease } from '../../lease.ts';
import { clientList, closeAfterEach, until } from '../integration/integration.fixture.ts';
import { fills, listen } from './partitions.fixture.ts';

const CHANGES = Number(process.env.CHANGES ?? 12);
const COUNTS = [4, 1, 8, 2];

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

const closing = closeAfterEach();

it('connections, subscriptions and timers do not grow with the number of changes', async () => {
  const connection = new RedisConnection({ url: redis.url, logger });
  closing.push(() => connection.close());
  await useLeasesOnce(connection, fills(), ...COUNTS);
  const { subscriber } = await listen(connection, fills());
  closing.push(() => subscriber.close({ timeoutMs: 0 }));
  const leaseOf = (partitions?: number) => {
    const lease = new RedisLease({
      connection,
      channel: fills(),
      partitions,
      ttlMs: 30_000,
      retryMs: 20,
      logger,
    });
    closing.push(() => lease.close());
    return lease;
  };
  const changers = new Map(COUNTS.map((count) => [count, leaseOf(count)]));
  /** Takes the number of the server, so that it gets other partitions after each change. */
  const follower = leaseOf();
  const holdOnce = async (lease: RedisLease) => {
    const gained = new Promise<void>((resolve) => {
      const stop = lease.on('gained', () => {
        stop();
        resolve();
      });
    });
    await lease.start();
    await gained;
    expect(lease.partitions?.every(({ token }) => token !== undefined)).not.toBe(false);
    await lease.release();
  };
  const change = async (times: number) => {
    for (let n = 0; n < times; n++) {
      const count = COUNTS[n % COUNTS.length] as number;
      await holdOnce(changers.get(count) as RedisLease);
      await holdOnce(follower);
      expect(follower.partitions).toBeUndefined();
    }
    await until(() => subscriber.status(fills())?.partitions === COUNTS.at(-1));
  };
  const usage = async () => {
    const clients = await clientList(redis);
    const subscribed = clients.map((line) => Number(/ sub=(\d+)/.exec(line)?.[1] ?? 0));
    return { clients: clients.length, subscribed: subscribed.reduce((sum, count) => sum + count, 0) };
  };
  await change(COUNTS.length);
  const before = await usage();
  const timers = timerCount();
  const heap = heapUsed();
  await change(CHANGES);
  if (CHANGES > 100)
    process.stdout.write(`heap ${heap} -> ${heapUsed()}, timers ${timers} -> ${timerCount()}\n`);
  // The last partitions are being unsubscribed from.
  await expect.poll(usage).toEqual(before);
  await expect.poll(timerCount).toBeLessThanOrEqual(timers + 3);
}, 300_000);

function timerCount(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

function heapUsed(): number {
  globalThis.gc?.();
  return Math.round(process.memoryUsage().heapUsed / 1024);
}

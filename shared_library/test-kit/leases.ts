// Leases on a real server. A server that does not know the channel refuses the first lease for one TTL (hold-off).
// These helpers shorten that wait.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Channel,
  type Connection,
  RedisConnection,
  RedisLease,
  RedisPublisher,
  type RedisPublisherOptions,
} from 'tickbus';
import { partitionName } from 'tickbus/admin';
import { silentLogger } from './loggers.ts';

type PublishingOptions = Pick<RedisPublisherOptions, 'deadlineMs' | 'replicas'>;

/** A publisher that holds the lease of a channel for a minute. Dispose of it to release the lease. */
export async function leasedPublisher(channel: Channel, url: string, options: PublishingOptions = {}) {
  await acquireAndRelease(channel, url);
  const lease = new RedisLease({ channel, url, ttlMs: 60_000, logger: silentLogger });
  const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
  await lease.start();
  await gained;
  const publisher = new RedisPublisher({ url, lease, logger: silentLogger, ...options });
  return {
    lease,
    publisher,
    async [Symbol.asyncDispose]() {
      await publisher.close();
      await lease.close();
    },
  };
}

/** Acquires and releases the lease once, so that the server does not hold off the next candidate. */
export async function acquireAndRelease(channel: Channel, url: string): Promise<void> {
  await using connection = new RedisConnection({ url, logger: silentLogger });
  await useLeasesOnce(connection, channel);
}

/** The same for the leases of a channel and of its partitions, for each of the given numbers of partitions. */
export async function useLeasesOnce(
  connection: Connection,
  channel: Channel,
  ...counts: readonly number[]
): Promise<void> {
  const parts = counts.flatMap((count) =>
    count === 1 ? [] : Array.from({ length: count }, (_, index) => partitionName(channel.name, index, count)),
  );
  await Promise.all(
    [channel.name, ...parts].map(async (name) => {
      const lease = connection.publishing.lease({ name, kind: channel.kind, history: channel.history });
      await lease.connect();
      for (let attempt = await lease.acquire(20); ; attempt = await lease.acquire(20)) {
        if (attempt.state === 'held' && (await lease.release(attempt.token))) return lease.close();
        if (attempt.state !== 'held') await sleep(attempt.leftMs + 1);
      }
    }),
  );
}

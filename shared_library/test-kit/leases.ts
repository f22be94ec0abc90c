// Leases on a real server. A server that does not know the channel refuses the first lease for one TTL (hold-off).
// These helpers shorten that wait.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Channel,
  RedisConnection,
  RedisLease,
  RedisPublisher,
  type RedisPublisherOptions,
} from 'tickbus';
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
  const lease = connection.publishing.lease(channel);
  for (let attempt = await lease.acquire(20); ; attempt = await lease.acquire(20)) {
    if (attempt.state === 'held' && (await lease.release(attempt.token))) return;
    if (attempt.state !== 'held') await sleep(attempt.leftMs + 1);
  }
}

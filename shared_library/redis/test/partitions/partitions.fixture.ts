// Channels with partitions, and publishers, leases and subscribers of them on one connection.

import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { z } from 'zod';
import { type Channel, defineChannel } from '../../channel/channel.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { Gap } from '../../subscribe/status.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import type { Connection } from '../../transport/port.ts';

const messages = { tick: z.object({ symbol: z.string(), n: z.number(), text: z.string().optional() }) };

/** A `state` channel. All definitions with one name are the same channel with another wanted number of partitions. */
export const prices = (partitions?: number, name = 'PRICES') =>
  defineChannel(name, {
    kind: 'state',
    key: 'symbol',
    messages,
    ...(partitions !== undefined && { partitions }),
  });

/** An `event` channel that keeps all messages of a test. */
export const fills = (partitions?: number) =>
  defineChannel('FILLS', {
    kind: 'event',
    key: 'symbol',
    history: 10_000,
    messages,
    ...(partitions !== undefined && { partitions }),
  });

export const SYMBOLS = Array.from({ length: 20 }, (_, index) => `S${index}`);

export interface Tick {
  readonly symbol: string;
  readonly n: number;
}

/** A publisher that holds the lease of the channel and of its partitions. */
export async function leasedPublisher(connection: Connection, channel: Channel) {
  const lease = new RedisLease({ connection, channel, ttlMs: 60_000, logger });
  const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
  await lease.start();
  await gained;
  const publisher = new RedisPublisher({ connection, lease, deadlineMs: 10_000 });
  const close = async () => {
    await publisher.close();
    await lease.close();
  };
  return { lease, publisher, close };
}

/** A listening subscriber, with what its handler got. */
export async function listen(
  connection: Connection,
  channel: ReturnType<typeof prices> | ReturnType<typeof fills>,
  keys?: readonly string[],
) {
  const subscriber = new RedisSubscriber({ connection, logger });
  const received = new EventRecorder<Tick & { readonly snapshot: boolean }>();
  const gaps: Gap[] = [];
  subscriber.on('gap', (gap) => gaps.push(gap));
  subscriber.subscribe(
    channel,
    ({ data, snapshot }) => received.add({ ...data, snapshot: snapshot === true }),
    { keys },
  );
  await subscriber.startListening();
  return { subscriber, received, gaps };
}

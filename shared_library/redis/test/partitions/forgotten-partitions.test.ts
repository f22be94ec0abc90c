// A subscriber of several partitions whose server forgets them, or has older memory.

import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { expect, it } from 'vitest';
import { until, untilAccepted } from '../integration/integration.fixture.ts';
import { usePartitionServer } from './partition-server.fixture.ts';
import { fills, leasedPublisher, listen, SYMBOLS } from './partitions.fixture.ts';

const PARTITIONS = 8;

const server = usePartitionServer();

/** A subscriber that follows its partitions, which nobody publishes on any more. */
async function following() {
  const connection = server.connect();
  await useLeasesOnce(connection, fills(), PARTITIONS);
  const listener = await listen(connection, fills());
  server.closing.push(() => listener.subscriber.close({ timeoutMs: 0 }));
  const holder = await leasedPublisher(connection, fills(PARTITIONS));
  await Promise.all(SYMBOLS.map((symbol) => holder.publisher.publish(fills(), { symbol, n: 1 })));
  await listener.received.reaches(SYMBOLS.length);
  await holder.close();
  return { connection, ...listener };
}

it('a subscriber asks an empty server for each partition about once a second', async () => {
  const { gaps } = await following();
  await server.admin.flushAll();
  // Another program has written to one partition, so the server cannot show that it has ended.
  await server.admin.hSet(`tickbus:{FILLS#3/${PARTITIONS}}:head`, { epoch: '5', seq: '0' });
  await until(() => gaps.length >= PARTITIONS);
  const before = await server.callsOf('hmget');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect((await server.callsOf('hmget')) - before).toBeLessThan(10 * PARTITIONS);
});

it.each([undefined, 4, PARTITIONS])(
  'after a loss of memory, messages of a holder who wants %s partitions arrive',
  async (next) => {
    const { connection, received, subscriber } = await following();
    await server.admin.flushAll();
    await useLeasesOnce(connection, fills(), next ?? 1);
    const holder = await leasedPublisher(connection, fills(next));
    server.closing.push(holder.close);
    for (const symbol of SYMBOLS)
      await untilAccepted(() => holder.publisher.publish(fills(), { symbol, n: 2 }));
    await Promise.all(
      SYMBOLS.map((symbol) => received.first((tick) => tick.symbol === symbol && tick.n === 2)),
    );
    await until(() => subscriber.status(fills())?.mode === 'live');
    expect(subscriber.status(fills())?.partitions).toBe(next ?? 1);
    expect(received.items).toHaveLength(2 * SYMBOLS.length);
  },
);

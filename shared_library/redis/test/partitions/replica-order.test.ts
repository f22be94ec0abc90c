// Messages that replicas confirm keep their order while a new connection asks for the permission to use WAIT.

import { expect, it } from 'vitest';
import { RedisPublisher } from '../../publisher.ts';
import { usePartitionServer } from './partition-server.fixture.ts';
import { fills, listen, SYMBOLS } from './partitions.fixture.ts';

const server = usePartitionServer();

it.each([1, 4])(
  'with %i partitions, the first messages of a connection keep the order of their keys',
  async (count) => {
    const { direct, proxy, connection, holder } = await server.holderBehindProxy(fills(count));
    const { received, subscriber } = await listen(direct, fills());
    server.closing.push(() => subscriber.close({ timeoutMs: 0 }));
    const publisher = new RedisPublisher({ connection, lease: holder.lease, replicas: 1, deadlineMs: 500 });
    server.closing.push(() => publisher.close());

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

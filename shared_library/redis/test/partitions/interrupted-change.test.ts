// A change of the number of partitions that its holder does not finish.

import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { expect, it } from 'vitest';
import { partitionSpecs } from '../../channel/partition-specs.ts';
import { untilAccepted } from '../integration/integration.fixture.ts';
import { usePartitionServer } from './partition-server.fixture.ts';
import { fills, leasedPublisher, listen, SYMBOLS } from './partitions.fixture.ts';

const server = usePartitionServer();

it.each([
  { from: 4, to: 16, next: undefined },
  { from: 4, to: 16, next: 4 },
  { from: 4, to: 1, next: 4 },
  { from: 1, to: 4, next: 1 },
])(
  '$from partitions that were to become $to are used by the next holder, who wants $next',
  async (change) => {
    const { from, to, next } = change;
    const connection = server.connect();
    await useLeasesOnce(connection, fills(), from, to);
    const first = await leasedPublisher(connection, fills(from));
    server.closing.push(first.close);
    await Promise.all(SYMBOLS.map((symbol) => first.publisher.publish(fills(from), { symbol, n: 1 })));
    const { received, subscriber } = await listen(connection, fills());
    server.closing.push(() => subscriber.close({ timeoutMs: 0 }));
    await first.close();
    // The first steps of a holder that then crashes: the partitions learn the number before the channel does.
    const parts = [from, to].flatMap((count) => (count === 1 ? [] : partitionSpecs(fills(), count)));
    for (const part of parts) await connection.publishing.setPartitions(part, to);

    const second = await leasedPublisher(connection, fills(next));
    server.closing.push(second.close);
    for (const symbol of SYMBOLS)
      await untilAccepted(() => second.publisher.publish(fills(next), { symbol, n: 2 }));
    await received.first(({ symbol, n }) => symbol === SYMBOLS.at(-1) && n === 2);
    expect(received.items.filter(({ n }) => n === 2)).toHaveLength(SYMBOLS.length);
    expect(subscriber.status(fills())).toMatchObject({ mode: 'live', partitions: from });
  },
);

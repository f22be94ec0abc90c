// A partition on a server whose branch has changed, while the connection of its writer is still open.

import { expect, it } from 'vitest';
import { partitionSpecs } from '../../channel/partition-specs.ts';
import { partitionOf } from '../../channel/partitions.ts';
import { RedisPublisher } from '../../publisher.ts';
import { usePartitionServer } from './partition-server.fixture.ts';
import { prices } from './partitions.fixture.ts';

const PARTITIONS = 4;
const channel = prices(PARTITIONS);

const server = usePartitionServer();

it('a program without a lease does not publish while batches of a former holder can still arrive', async () => {
  const { direct, proxy, holder } = await server.holderBehindProxy(channel);
  await holder.publisher.publish(channel, { symbol: 'S0', n: 1 });

  proxy.holdsRequests = true;
  const late = holder.publisher.publish(channel, { symbol: 'S0', n: 2 }).catch(() => {});
  // A promotion changes the branch of the server. The leases expire, as those of a holder that hangs.
  await server.admin.sendCommand(['REPLICAOF', '127.0.0.1', '1']);
  await server.admin.sendCommand(['REPLICAOF', 'NO', 'ONE']);
  for (const { name } of [prices(), ...partitionSpecs(prices(), PARTITIONS)])
    await server.admin.del(`tickbus:{${name}}:lease`);
  const other = new RedisPublisher({ connection: direct });
  server.closing.push(() => other.close());
  // The link of the former holder may still deliver its batch.
  await expect(other.publish(channel, { symbol: 'S0', n: 3 })).rejects.toMatchObject({
    code: 'TICKBUS_FENCED',
  });
  proxy.release();
  await late;
  const key = `tickbus:{PRICES#${partitionOf('S0', PARTITIONS)}/${PARTITIONS}}:last`;
  expect(JSON.parse(String(await server.admin.hGet(key, 'S0')))).toMatchObject({ data: { n: 2 } });
});

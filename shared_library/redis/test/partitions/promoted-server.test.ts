// A partition on a server whose branch has changed, while the connection of its writer is still open.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { partitionSpecs } from '../../channel/partition-specs.ts';
import { partitionOf } from '../../channel/partitions.ts';
import { RedisConnection } from '../../connection.ts';
import { RedisPublisher } from '../../publisher.ts';
import { HoldingProxy } from '../integration/holding-proxy.fixture.ts';
import { closeAfterEach, newPlainClient, type PlainClient } from '../integration/integration.fixture.ts';
import { leasedPublisher, prices } from './partitions.fixture.ts';

const PARTITIONS = 4;
const channel = prices(PARTITIONS);

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

const closing = closeAfterEach();

it('a program without a lease does not publish while batches of a former holder can still arrive', async () => {
  const direct = new RedisConnection({ url: redis.url, logger });
  closing.push(() => direct.close());
  await useLeasesOnce(direct, prices(), PARTITIONS);
  const proxy = await HoldingProxy.start(redis.port);
  closing.push(() => proxy[Symbol.asyncDispose]());
  const connection = new RedisConnection({ url: proxy.url, logger });
  closing.push(() => connection.close());
  const holder = await leasedPublisher(connection, channel);
  closing.push(holder.close, () => {
    proxy.holdsRequests = false;
    proxy.cut();
  });
  await holder.publisher.publish(channel, { symbol: 'S0', n: 1 });

  proxy.holdsRequests = true;
  const late = holder.publisher.publish(channel, { symbol: 'S0', n: 2 }).catch(() => {});
  // A promotion changes the branch of the server. The leases expire, as those of a holder that hangs.
  await admin.sendCommand(['REPLICAOF', '127.0.0.1', '1']);
  await admin.sendCommand(['REPLICAOF', 'NO', 'ONE']);
  for (const { name } of [prices(), ...partitionSpecs(prices(), PARTITIONS)])
    await admin.del(`tickbus:{${name}}:lease`);
  const other = new RedisPublisher({ connection: direct });
  closing.push(() => other.close());
  // The link of the former holder may still deliver its batch.
  await expect(other.publish(channel, { symbol: 'S0', n: 3 })).rejects.toMatchObject({
    code: 'TICKBUS_FENCED',
  });
  proxy.release();
  await late;
  const key = `tickbus:{PRICES#${partitionOf('S0', PARTITIONS)}/${PARTITIONS}}:last`;
  expect(JSON.parse(String(await admin.hGet(key, 'S0')))).toMatchObject({ data: { n: 2 } });
});

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { describePartitions } from './partitioned-channel.ts';

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

describePartitions('cluster', async () => {
  await Promise.all(cluster.nodes.map(({ server }) => server.answers('FLUSHALL')));
  return new RedisConnection({ url: cluster.url, logger });
});

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { describeComplaints } from './complaint-suite.ts';
import { describeConflicts } from './definition-suite.ts';

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

describeConflicts('a cluster', async () => new RedisConnection({ url: cluster.url, logger }));
describeComplaints('a cluster', async () => new RedisConnection({ url: cluster.url, logger }));

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { describeHistories } from './history-suite.ts';

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

describeHistories('cluster', async () => new RedisConnection({ url: cluster.url, logger }), 5);

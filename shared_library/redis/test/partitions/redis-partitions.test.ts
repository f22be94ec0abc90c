import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { describePartitions } from './partitioned-channel.ts';

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

describePartitions('redis', async () => {
  await redis.answers('FLUSHALL');
  return new RedisConnection({ url: redis.url, logger });
});

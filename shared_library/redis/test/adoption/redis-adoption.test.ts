// Adopted values on a Redis server.

import { startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { RedisConnection } from '../../connection.ts';
import { describeAdoptionBy } from './adoption-suite.ts';

describeAdoptionBy('redis', async () => {
  const redis = await startLocalRedis();
  const plain = await createClient({ url: redis.url }).connect();
  return {
    connection: () => new RedisConnection({ url: redis.url, logger }),
    publishPlain: async (channel, text) => void (await plain.publish(channel, text)),
    close: async () => {
      plain.destroy();
      await redis.kill();
    },
  };
});

import { setTimeout as sleep } from 'node:timers/promises';
import { SentinelGroup } from '@tickbus/fault-kit/sentinel-group';
import { silentLogger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { createClient } from 'redis';
import { afterAll, beforeAll } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { describeTransport } from './transport-contract.ts';

const SEED = 1;
/** Sentinels must not fail over while the contract restarts the master. */
const NEVER_DOWN_MS = 600_000;

let group: SentinelGroup;
beforeAll(async () => {
  group = await SentinelGroup.start({ random: new Random(SEED), downAfterMs: NEVER_DOWN_MS });
});
afterAll(() => group[Symbol.asyncDispose]());

describeTransport('sentinel', async () => {
  const connections: RedisConnection[] = [];
  const { server } = await group.master();
  const admin = createClient({ url: server.url });
  await admin.connect();
  return {
    replicas: 2,
    link() {
      const connection = new RedisConnection({ url: group.url, logger: silentLogger });
      connections.push(connection);
      return connection.publishing;
    },
    async publishRaw(channel, frame) {
      await admin.publish(channel, Buffer.from(frame));
    },
    async flush() {
      // Epochs are milliseconds of the server clock: two epochs of one millisecond would be equal.
      await sleep(2);
      await admin.flushAll();
    },
    async cut() {
      admin.destroy();
      await server.kill();
    },
    async restore() {
      await server.start();
      // A lease needs a replica.
      await group.catchUp();
    },
    async close() {
      await Promise.all(connections.map((connection) => connection.close()));
      if (admin.isOpen) admin.destroy();
    },
  };
});

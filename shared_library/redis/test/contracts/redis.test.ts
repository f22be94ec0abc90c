import { setTimeout as sleep } from 'node:timers/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { afterAll, beforeAll } from 'vitest';
import { nameIn } from '../../channel/namespace.ts';
import { RedisConnection } from '../../connection.ts';
import type { TransportFixture } from './transport.fixture.ts';
import { describeTransport } from './transport-contract.ts';

let server: LocalRedis;
beforeAll(async () => {
  server = await startLocalRedis();
});
afterAll(() => server.kill());

describeTransport('redis', () => setUp(undefined));
describeTransport('redis, in a namespace', () => setUp('paper'));

async function setUp(namespace: string | undefined): Promise<TransportFixture> {
  const connections: RedisConnection[] = [];
  const admin = createClient({ url: server.url });
  await admin.connect();
  return {
    link() {
      const connection = new RedisConnection({ url: server.url, namespace, logger: silentLogger });
      connections.push(connection);
      return connection.publishing;
    },
    async publishRaw(channel, frame) {
      await admin.publish(nameIn(namespace, channel), Buffer.from(frame));
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
    },
    async close() {
      await Promise.all(connections.map((connection) => connection.close()));
      if (admin.isOpen) admin.destroy();
    },
  };
}

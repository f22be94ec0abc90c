import { setTimeout as sleep } from 'node:timers/promises';
import { LocalCluster } from '@tickbus/local-redis/cluster';
import { silentLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { afterAll, beforeAll } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { describeTransport } from './transport-contract.ts';

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

const forAll = (action: (node: LocalCluster['nodes'][number]) => Promise<unknown>) =>
  Promise.all(cluster.nodes.map(action));

describeTransport('redis cluster', async () => {
  const connections: RedisConnection[] = [];
  return {
    link() {
      const connection = new RedisConnection({ url: cluster.url, logger: silentLogger });
      connections.push(connection);
      return connection.publishing;
    },
    async publishRaw(channel, frame) {
      const { port } = await cluster.ownerOf(channel);
      const client = createClient({ url: `redis://127.0.0.1:${port}` });
      await client.connect();
      await client.sPublish(channel, Buffer.from(frame));
      client.destroy();
    },
    async flush() {
      // Epochs are milliseconds of the server clock: two epochs of one millisecond would be equal.
      await sleep(2);
      await forAll(({ server }) => server.answers('FLUSHALL'));
    },
    async cut() {
      await forAll(({ server }) => server.kill());
    },
    async restore() {
      await forAll(({ server }) => server.start());
      await cluster.untilOk();
    },
    async close() {
      await Promise.all(connections.map((connection) => connection.close()));
    },
  };
});

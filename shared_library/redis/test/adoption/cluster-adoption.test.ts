// Adopted values on a cluster, where each channel and each partition is on a node of its own.

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { silentLogger as logger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { RedisConnection } from '../../connection.ts';
import { type AdoptionServer, describeAdoptionBy } from './adoption-suite.ts';

/** Each partition has a link of its own, so nothing orders its messages with those of the channel. */
const IS_ORDERED = false;

describeAdoptionBy('cluster', start, IS_ORDERED);

async function start(): Promise<AdoptionServer> {
  const cluster = await LocalCluster.start();
  const client = (port: number) => createClient({ url: `redis://127.0.0.1:${port}` }).connect();
  const clients = new Map<number, ReturnType<typeof client>>();
  return {
    connection: () => new RedisConnection({ url: cluster.url, logger }),
    publishPlain: async (channel, text) => {
      const { port } = await cluster.ownerOf(channel);
      clients.set(port, clients.get(port) ?? client(port));
      await (await clients.get(port))?.sPublish(channel, text);
    },
    close: async () => {
      for (const each of clients.values()) (await each).destroy();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

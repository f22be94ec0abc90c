// A node that answers with an older view of the cluster, as one that has missed a failover does.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import { silentLogger } from '@tickbus/test-kit';
import { expect, it, onTestFinished } from 'vitest';
import { redisSettings } from '../../../connection.ts';
import { ClusterTopology } from '../../../transport/redis/cluster/cluster-topology.ts';
import { keySlot } from '../../../transport/redis/cluster/key-slot.ts';

const NAME = 'PRICE_DATA';
const SLOT = keySlot(NAME);

/** Forwards connections to a port, and changes the replies. */
async function rewritingProxy(target: number, rewrite: (reply: string) => string): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => client.write(rewrite(bytes.toString('latin1')), 'latin1'));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

it('does not count: the owner of a slot stays the one of the newer view', async () => {
  await using cluster = await LocalCluster.start();
  const owner = await cluster.ownerOf(NAME);
  const [other] = cluster.nodes.filter((node) => node !== owner) as [ClusterNode];
  const before = { epoch: 0, port: other.port };
  let older = 0;
  let isOlder = false;
  const port = await rewritingProxy(owner.port, (reply) => {
    if (!isOlder || !/cluster_current_epoch:\d\r/.test(reply)) return reply;
    older++;
    return reply
      .replace(/cluster_current_epoch:\d/, `cluster_current_epoch:${before.epoch}`)
      .replaceAll(`:${owner.port}\r\n`, `:${before.port}\r\n`);
  });
  const topology = new ClusterTopology(
    redisSettings({ url: `redis+cluster://127.0.0.1:${port}` }),
    silentLogger,
  );
  onTestFinished(() => topology.close());
  const owners: (number | undefined)[] = [];
  topology.onRefreshed(() => owners.push(topology.ownerOf(SLOT)?.port));
  await topology.refresh();
  isOlder = true;
  await topology.refresh();
  expect(older).toBe(1);
  // Another node has answered with the newer view.
  expect(owners).toEqual([owner.port, owner.port]);
});

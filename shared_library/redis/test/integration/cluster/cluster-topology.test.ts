// What a connection knows of its cluster: from the majority only, shared by its links, and asked again on doubt.

import { ProxiedCluster } from '@tickbus/fault-kit/proxied-cluster';
import type { ClusterNode } from '@tickbus/local-redis/cluster';
import { errorOf, silentLogger } from '@tickbus/test-kit';
import { expect, it, onTestFinished } from 'vitest';
import { redisSettings } from '../../../connection.ts';
import { ClusterTopology } from '../../../transport/redis/cluster/cluster-topology.ts';
import { keySlot } from '../../../transport/redis/cluster/key-slot.ts';
import { until } from '../integration.fixture.ts';

const NAME = 'PRICE_DATA';
const SLOT = keySlot(NAME);

function topologyFrom({ port }: ClusterNode): ClusterTopology {
  const settings = redisSettings({ url: `redis+cluster://127.0.0.1:${port}` });
  const topology = new ClusterTopology(settings, silentLogger);
  onTestFinished(() => topology.close());
  return topology;
}

it('comes from the majority: the view of a node that is cut off does not replace it', async () => {
  await using proxied = await ProxiedCluster.start({ replicas: 1, nodeTimeoutMs: 500 });
  const { cluster } = proxied;
  const master = await cluster.ownerOf(NAME);
  const topology = topologyFrom(master);
  await topology.refresh();
  expect(topology.ownerOf(SLOT)?.port).toBe(master.port);
  proxied.isolate(master);
  const promoted = await cluster.untilOwnerIsNot(master, NAME);
  // It asks each second, and nobody else answers what the majority answers.
  await until(() => topology.ownerOf(SLOT)?.port === promoted.port);
  for (const { server } of cluster.nodes) if (server !== master.server) server.pause();
  expect(await errorOf(topology.refresh())).toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
  expect(topology.ownerOf(SLOT)?.port).toBe(promoted.port);
  for (const { server } of cluster.nodes) server.resume();
});

it('is asked once for all who ask at the same time', async () => {
  await using proxied = await ProxiedCluster.start({ nodeTimeoutMs: 500 });
  const topology = topologyFrom(proxied.cluster.nodes[0] as ClusterNode);
  let refreshes = 0;
  topology.onRefreshed(() => refreshes++);
  await Promise.all([topology.refresh(), topology.refresh(), topology.refresh()]);
  expect(refreshes).toBe(1);
});

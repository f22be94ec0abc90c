// Clusters of three masters and three replicas for scenarios.

import { ProxiedCluster } from '@tickbus/fault-kit/proxied-cluster';
import { type ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import type { FaultChannel } from '../fault-channels.ts';
import type { ServerGroup } from '../server-resources.ts';
import type { Testbed } from '../testbed.ts';
import { CHANNELS } from './failover-desk.ts';

export async function startCluster(testbed: Testbed, nodeTimeoutMs: number): Promise<LocalCluster> {
  const cluster = await LocalCluster.start({ replicas: 1, nodeTimeoutMs });
  testbed.atEnd(() => cluster[Symbol.asyncDispose]());
  return cluster;
}

/** The nodes reach each other through proxies. */
export async function startProxiedCluster(testbed: Testbed, nodeTimeoutMs: number): Promise<ProxiedCluster> {
  const proxied = await ProxiedCluster.start({ replicas: 1, nodeTimeoutMs });
  testbed.atEnd(() => proxied[Symbol.asyncDispose]());
  return proxied;
}

export function groupOf(cluster: LocalCluster): ServerGroup {
  return {
    url: cluster.url,
    serverOf: async (channel) => (await cluster.ownerOf(channel)).server,
  };
}

/** The channels of a desk that this node serves. */
export async function channelsOf(cluster: LocalCluster, node: ClusterNode): Promise<FaultChannel[]> {
  const owners = await Promise.all(CHANNELS.map(({ name }) => cluster.ownerOf(name)));
  return CHANNELS.filter((_, index) => owners[index] === node);
}

/** A master other than this one. */
export async function otherMaster(cluster: LocalCluster, node: ClusterNode): Promise<ClusterNode> {
  for (const slot of FIRST_OF_EACH_THIRD) {
    const owner = await cluster.ownerOfSlot(slot);
    if (owner !== node) return owner;
  }
  throw new Error('The cluster has no other master.');
}

/** Slots of three different masters, as long as none of them is moved. */
const FIRST_OF_EACH_THIRD = [0, 6_000, 12_000];

// A master of a cluster fails, and its replica takes over.

import type { ProxiedCluster } from '@tickbus/fault-kit/proxied-cluster';
import type { ClusterNode } from '@tickbus/local-redis/cluster';
import { channelsOf, groupOf, startCluster, startProxiedCluster } from '../failover/clusters.ts';
import { FailoverDesk, LEASED } from '../failover/failover-desk.ts';
import { expectTail } from '../failover/tail.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';

export const NODE_TIMEOUT_MS = 1_000;
/** An orderly failover, or a slot that has moved. */
export const ORDERLY_MS = 1_000;
/** Enough for messages that the replica lacks. */
const LAG_MS = 300;
const OUTAGE_MS = 500;

/** How soon the channels of a failed master are live again. */
function failoverMs(nodeTimeoutMs: number): number {
  return 2 * nodeTimeoutMs + 3_000;
}

const FAILOVER = { group: 'cluster', waits: 'failover', server: 'none' } as const;

export const clusterKilled: Scenario = {
  ...FAILOVER,
  name: '01-cluster-killed',
  expected: 'The channels of a killed master are live again in time; the other channels notice nothing.',
  run: (testbed) => failMaster(testbed, NODE_TIMEOUT_MS, ({ server }) => server.kill()),
};

export const clusterStopped: Scenario = {
  ...FAILOVER,
  name: '02-cluster-stopped',
  expected: 'The same if the master hangs (SIGSTOP).',
  run: (testbed) => failMaster(testbed, NODE_TIMEOUT_MS, async ({ server }) => server.pause()),
};

export const clusterIsolated: Scenario = {
  ...FAILOVER,
  name: '03-cluster-isolated',
  expected:
    'The same if the others do not reach the master and clients do. What only it accepted is lost with it.',
  run: (testbed) => failProxied(testbed, NODE_TIMEOUT_MS, isolate),
};

export const clusterTailMissing: Scenario = {
  ...FAILOVER,
  name: '04-cluster-tail-missing',
  expected: 'The same if the replica lacks the last messages of a killed master.',
  run: (testbed) =>
    failProxied(testbed, NODE_TIMEOUT_MS, async (proxied, master) => {
      const replica = await proxied.cluster.replicaOf(master);
      proxied.lag(master);
      await delay(LAG_MS);
      await expectTail(testbed, master.server, replica.server);
      await master.server.kill();
      proxied.reunite();
    }),
};

export const clusterOrderly: Scenario = {
  ...FAILOVER,
  name: '05-cluster-orderly',
  expected: 'After an orderly failover (CLUSTER FAILOVER) the channels are live again within 1 s.',
  async run(testbed) {
    const cluster = await startCluster(testbed, NODE_TIMEOUT_MS);
    const desk = await FailoverDesk.open(testbed, groupOf(cluster));
    const master = await cluster.ownerOf(LEASED.name);
    const affected = await channelsOf(cluster, master);
    await cluster.failover(master);
    await desk.liveAgain(performance.now(), ORDERLY_MS, { channels: affected, isOrderly: true });
    desk.expectChangedLinks(affected);
    await cluster.heal();
    await desk.finish();
  },
};

export const clusterDown: Scenario = {
  ...FAILOVER,
  name: '08-cluster-down',
  expected:
    'After all nodes were killed and restarted, without their data, every channel is live again in time.',
  run: (testbed) => restartAll(testbed, NODE_TIMEOUT_MS),
};

export async function restartAll(testbed: Testbed, nodeTimeoutMs: number): Promise<void> {
  const cluster = await startCluster(testbed, nodeTimeoutMs);
  const desk = await FailoverDesk.open(testbed, groupOf(cluster));
  await Promise.all(cluster.nodes.map(({ server }) => server.kill()));
  await delay(OUTAGE_MS);
  await Promise.all(cluster.nodes.map(({ server }) => server.start()));
  await desk.liveAgain(performance.now(), failoverMs(nodeTimeoutMs));
  await cluster.heal();
  await desk.finish();
}

/** The master of the leased channel fails, comes back as a replica, and every channel goes on. */
export async function failMaster(
  testbed: Testbed,
  nodeTimeoutMs: number,
  inject: (master: ClusterNode) => Promise<void>,
): Promise<void> {
  const cluster = await startCluster(testbed, nodeTimeoutMs);
  const desk = await FailoverDesk.open(testbed, groupOf(cluster));
  const master = await cluster.ownerOf(LEASED.name);
  const affected = await channelsOf(cluster, master);
  const failedAt = performance.now();
  await inject(master);
  await desk.liveAgain(failedAt, failoverMs(nodeTimeoutMs), { channels: affected });
  desk.expectChangedLinks(affected);
  await cluster.heal();
  await desk.finish();
}

/** As `failMaster`, on a cluster whose nodes reach each other through proxies. */
export async function failProxied(
  testbed: Testbed,
  nodeTimeoutMs: number,
  inject: (proxied: ProxiedCluster, master: ClusterNode) => Promise<void>,
): Promise<void> {
  const proxied = await startProxiedCluster(testbed, nodeTimeoutMs);
  const { cluster } = proxied;
  const desk = await FailoverDesk.open(testbed, groupOf(cluster));
  const master = await cluster.ownerOf(LEASED.name);
  const affected = await channelsOf(cluster, master);
  const failedAt = performance.now();
  await inject(proxied, master);
  await desk.liveAgain(failedAt, failoverMs(nodeTimeoutMs), { channels: affected });
  desk.expectChangedLinks(affected);
  proxied.reunite();
  await cluster.heal();
  await cluster.untilInSync(master);
  await desk.finish();
}

export async function isolate(proxied: ProxiedCluster, master: ClusterNode): Promise<void> {
  proxied.isolate(master);
}

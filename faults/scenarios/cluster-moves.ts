// Slots move between the masters of a cluster while their channels have traffic.

import type { ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import { channelsOf, groupOf, otherMaster, startCluster } from '../failover/clusters.ts';
import { FailoverDesk, LEASED } from '../failover/failover-desk.ts';
import { FILLS } from '../fault-channels.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { NODE_TIMEOUT_MS, ORDERLY_MS } from './cluster-failovers.ts';

const MOVE = { group: 'cluster', waits: 'failover', server: 'none' } as const;
const SLOTS = 20;

export const clusterSlotMoved: Scenario = {
  ...MOVE,
  name: '06-cluster-slot-moved',
  expected: 'A channel whose slot has moved is live again within 1 s; the other channels notice nothing.',
  async run(testbed) {
    const cluster = await startCluster(testbed, NODE_TIMEOUT_MS);
    const desk = await FailoverDesk.open(testbed, groupOf(cluster));
    for (const channel of [FILLS, LEASED]) {
      desk.traffic.forget();
      const from = await cluster.ownerOf(channel.name);
      await cluster.migrate(channel.name, await otherMaster(cluster, from));
      await desk.liveAgain(performance.now(), ORDERLY_MS, { channels: [channel], isOrderly: true });
      desk.expectChangedLinks([channel]);
    }
    await desk.finish();
  },
};

export const clusterReshard: Scenario = {
  ...MOVE,
  name: '07-cluster-reshard',
  expected: `After a move of ${SLOTS} slots, all channels of a node among them, those are live again within 1 s.`,
  run: (testbed) => reshard(testbed, NODE_TIMEOUT_MS, SLOTS),
};

/** Moves this many slots of a master to another one, all of its channels among them. */
export async function reshard(testbed: Testbed, nodeTimeoutMs: number, count: number): Promise<void> {
  const cluster = await startCluster(testbed, nodeTimeoutMs);
  const desk = await FailoverDesk.open(testbed, groupOf(cluster));
  const from = await cluster.ownerOf(LEASED.name);
  const moving = await channelsOf(cluster, from);
  const slots = await slotsToMove(cluster, from, moving, count);
  const startedAt = performance.now();
  await cluster.migrateSlots(slots, from, await otherMaster(cluster, from));
  const doneAt = performance.now();
  testbed.note(
    `${slots.length} slots with ${moving.length} channels moved in ${Math.round(doneAt - startedAt)} ms`,
  );
  await desk.liveAgain(doneAt, ORDERLY_MS, { channels: moving, isOrderly: true });
  desk.expectChangedLinks(moving);
  await desk.finish();
}

/** Slots without channels first. The channels are the last ones, so that their times count from the end of the move. */
async function slotsToMove(
  cluster: LocalCluster,
  from: ClusterNode,
  channels: readonly { readonly name: string }[],
  count: number,
): Promise<number[]> {
  const live = await Promise.all(channels.map(({ name }) => cluster.slotOf(name)));
  const [first] = await cluster.rangesOf(from);
  const others: number[] = [];
  for (let slot = first?.[0] ?? 0; others.length < count - live.length; slot++)
    if (!live.includes(slot)) others.push(slot);
  return [...others, ...live];
}

// Presence over the loss of a master: nobody who stays is gone, and who crashes together with it is.

import { ok } from 'node:assert/strict';
import { CHANNELS } from 'tickbus';
import { groupOf as clusterGroup, startCluster } from '../failover/clusters.ts';
import { PresenceDesk } from '../presence-desk.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';
import { DOWN_AFTER_MS, groupOf, startGroup } from './sentinel-failovers.ts';

const NODE_TIMEOUT_MS = 1_000;
/** For the election, and for PRESENCE to be right after it. */
const FAILOVER_MS = 4_000 + 3_000;
/** Longer than the record of a participant lives. */
const LATER_MS = 3_000;
const STAY = Array.from({ length: 10 }, (_, index) => `stay-${index}`);
const CRASH = Array.from({ length: 10 }, (_, index) => `crash-${index}`);
const FAILOVER = { waits: 'failover', server: 'none' } as const;

export const sentinelPresence: Scenario = {
  ...FAILOVER,
  group: 'sentinel',
  name: '14-sentinel-presence',
  expected: 'If the master is killed together with 10 bots, these are reported gone, and 10 others are not.',
  async run(testbed) {
    const group = await startGroup(testbed);
    testbed.moveToGroup(groupOf(group));
    const kill = async () => (await group.master()).server.kill();
    await failPresence(testbed, DOWN_AFTER_MS + FAILOVER_MS, kill, () => group.electionDelayMs());
  },
};

export const clusterPresence: Scenario = {
  ...FAILOVER,
  group: 'cluster',
  name: '15-cluster-presence',
  expected: 'The same if the master of PRESENCE in a cluster is killed.',
  async run(testbed) {
    const cluster = await startCluster(testbed, NODE_TIMEOUT_MS);
    testbed.moveToGroup(clusterGroup(cluster));
    const kill = async () => (await cluster.ownerOf(CHANNELS.PRESENCE.name)).server.kill();
    await failPresence(testbed, 3 * NODE_TIMEOUT_MS + FAILOVER_MS, kill, async () => 0);
  },
};

async function failPresence(
  testbed: Testbed,
  limitMs: number,
  kill: () => Promise<void>,
  electionDelayMs: () => Promise<number>,
): Promise<void> {
  const desk = await PresenceDesk.open(testbed);
  const [crash] = await Promise.all([desk.start(CRASH), desk.start(STAY)]);
  await desk.until('joined', [...CRASH, ...STAY]);
  await desk.expectAnswers(STAY);
  const since = performance.now();
  await kill();
  crash?.kill();
  const gone = desk.until('gone', CRASH);
  await gone;
  const limit = limitMs + (await electionDelayMs());
  const took = await testbed.bounded('10 that crashed are reported gone', limit, since, gone);
  testbed.note(`10 that crashed are reported gone after ${took} ms`);
  await delay(LATER_MS);
  await desk.until('joined', STAY);
  await desk.expectList(STAY);
  await desk.expectAnswers(STAY);
  ok(!desk.all.some((report) => /^stay-.*gone$/.test(report)), 'who stays is not gone');
}

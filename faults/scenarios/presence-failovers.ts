// Presence behind Sentinel and on a cluster: of programs that crash, end and hang, also together with the master.

import { ok } from 'node:assert/strict';
import { CHANNELS } from 'tickbus';
import { groupOf as clusterGroup, startCluster } from '../failover/clusters.ts';
import { PresenceDesk } from '../presence-desk.ts';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';
import { delay, within } from '../wait.ts';
import type { WorkerProcess } from '../worker-process.ts';
import { groupOf, startGroup } from './sentinel-failovers.ts';

const NODE_TIMEOUT_MS = 1_000;
/** PRESENCE is right within this time; if a master has failed, after another one serves it. */
const RIGHT_WITHIN_MS = 3_000;
/** Longer than the record of a participant lives. */
const LATER_MS = 3_000;
const namesOf = (group: string) => Array.from({ length: 10 }, (_, index) => `${group}-${index}`);
const [STAY, CRASH, EARLY, END, HANG] = ['stay', 'crash', 'early', 'end', 'hang'].map(namesOf) as Groups;
type Groups = [string[], string[], string[], string[], string[]];
const FAILOVER = { waits: 'failover', server: 'none' } as const;

export const sentinelPresence: Scenario = {
  ...FAILOVER,
  group: 'sentinel',
  name: '14-sentinel-presence',
  expected:
    'PRESENCE is right within 3 s after 30 of 50 bots crash, end or hang; and if the master is killed together with 10, ' +
    'within 3 s after another one serves it. Nobody else is gone.',
  async run(testbed) {
    const group = await startGroup(testbed);
    testbed.moveToGroup(groupOf(group));
    const master = await group.master();
    const isBack = () => group.untilMaster((server) => server !== master);
    await failPresence(testbed, () => master.server.kill(), isBack);
  },
};

export const clusterPresence: Scenario = {
  ...FAILOVER,
  group: 'cluster',
  name: '15-cluster-presence',
  expected: 'The same on a cluster, whose master of PRESENCE is killed.',
  async run(testbed) {
    const cluster = await startCluster(testbed, NODE_TIMEOUT_MS);
    testbed.moveToGroup(clusterGroup(cluster));
    const { name } = CHANNELS.PRESENCE;
    const owner = await cluster.ownerOf(name);
    const isBack = () => cluster.untilOwnerIsNot(owner, name);
    await failPresence(testbed, () => owner.server.kill(), isBack);
  },
};

async function failPresence(
  testbed: Testbed,
  killMaster: () => Promise<void>,
  isBack: () => Promise<unknown>,
): Promise<void> {
  const desk = await PresenceDesk.open(testbed);
  const workers: WorkerProcess[] = [];
  for (const names of [CRASH, EARLY, END, HANG, STAY]) workers.push(await desk.start(names));
  const [crash, early, end, hang] = workers;
  await desk.until('joined', [...CRASH, ...EARLY, ...END, ...HANG, ...STAY]);
  await desk.expectAnswers(STAY);
  const ends = (what: string, state: 'gone' | 'left', names: readonly string[], act: () => unknown) =>
    desk.timed(state, names, RIGHT_WITHIN_MS, `10 that ${what} are reported ${state}`, act);
  await ends('ended', 'left', END, () => end?.send({ type: 'end' }));
  await ends('crashed', 'gone', EARLY, () => early?.kill());
  await ends('hang', 'gone', HANG, () => hang?.pause());
  const failedAt = performance.now();
  await killMaster();
  crash?.kill();
  const gone = desk.until('gone', CRASH);
  await within('Another master', isBack());
  const backAt = performance.now();
  const what = '10 that crashed with the master are reported gone';
  const took = await testbed.bounded(what, RIGHT_WITHIN_MS, backAt, gone);
  const outage = Math.round(backAt - failedAt);
  testbed.note(`${what} ${took} ms after another one serves PRESENCE, which took ${outage} ms`);
  await delay(LATER_MS);
  await desk.until('joined', STAY);
  await desk.expectList(STAY);
  await desk.expectAnswers(STAY);
  ok(!desk.all.some((report) => /^stay-.*gone$/.test(report)), 'who stays is not gone');
}

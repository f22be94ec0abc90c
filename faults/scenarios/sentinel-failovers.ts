// The master of a Sentinel group fails, and a replica takes over.

import { type ProxiedServer, SentinelGroup } from '@tickbus/fault-kit/sentinel-group';
import { Traffic } from '@tickbus/fault-kit/traffic';
import { FailoverDesk, LEASED } from '../failover/failover-desk.ts';
import { LeaseRivals, RIVALS_TTL_MS } from '../failover/lease-rivals.ts';
import { expectTail } from '../failover/tail.ts';
import type { Scenario } from '../scenario.ts';
import type { ServerGroup } from '../server-resources.ts';
import type { Testbed } from '../testbed.ts';
import { delay, eventually } from '../wait.ts';

const DOWN_AFTER_MS = 1_000;
const LIVE_AGAIN_MS = DOWN_AFTER_MS + 4_000;
/** Enough for messages that the replicas lack. */
const LAG_MS = 300;
const CLIENTS = ' name=tickbus:';

const FAILOVER = { group: 'sentinel', waits: 'failover', server: 'none' } as const;

export const sentinelKilled: Scenario = {
  ...FAILOVER,
  name: '09-sentinel-killed',
  expected: 'If the master is killed, every channel is live again in time, with a new epoch.',
  run: (testbed) => failMaster(testbed, (_, { server }) => server.kill()),
};

export const sentinelStopped: Scenario = {
  ...FAILOVER,
  name: '10-sentinel-stopped',
  expected: 'The same if the master hangs (SIGSTOP).',
  run: (testbed) => failMaster(testbed, (_, { server }) => server.pause()),
};

export const sentinelIsolated: Scenario = {
  ...FAILOVER,
  name: '11-sentinel-isolated',
  expected: 'The same if nobody reaches the master.',
  run: (testbed) => failMaster(testbed, (group, master) => group.isolate(master)),
};

export const sentinelTailMissing: Scenario = {
  ...FAILOVER,
  name: '12-sentinel-tail-missing',
  expected: 'The same if the replicas lack the last messages of a killed master.',
  run: (testbed) =>
    failMaster(testbed, async (group, master) => {
      await group.lag(master);
      await delay(LAG_MS);
      for (const { server } of group.servers)
        if (server !== master.server) await expectTail(testbed, master.server, server);
      await master.server.kill();
    }),
};

export const sentinelTwoCandidates: Scenario = {
  ...FAILOVER,
  name: '13-sentinel-two-candidates',
  expected:
    'If a lease holder is cut off together with the master, another takes over, and never are two accepted.',
  async run(testbed) {
    const group = await startGroup(testbed);
    testbed.moveToGroup(groupOf(group));
    const rivals = await LeaseRivals.create(testbed, LEASED);
    const { first, second } = rivals;
    await first.start();
    await first.untilHeld();
    const master = await group.master();
    const own = await Promise.all([master, ...group.sentinels].map((one) => group.linksTo(one, CLIENTS)));
    const [toMaster = [], ...toSentinels] = own;
    await second.start();
    await using traffic = new Traffic({
      url: group.url,
      channels: [LEASED],
      publish: (_, payload) => rivals.publish(payload),
      logger: testbed.logger,
      ledger: testbed.ledger,
    });
    await traffic.start();
    // The first candidate reaches only the master, and nobody else reaches it.
    const cutOffAt = performance.now();
    for (const link of toSentinels.flat()) link.inject({ type: 'blackhole' });
    for (const { proxy } of group.sentinels) proxy.refuse();
    group.isolate(master, toMaster);
    await second.untilHeld();
    const took = Math.round(performance.now() - cutOffAt);
    const limitMs = LIVE_AGAIN_MS + 2 * RIVALS_TTL_MS + (await group.electionDelayMs());
    const text = `the other candidate takes over after ${took} ms, bound ${limitMs} ms`;
    testbed.note(text);
    if (took > limitMs) testbed.exceeded.push(text);
    await traffic.untilNewEpoch();
    await traffic.untilLive();
    group.heal();
    await eventually('The first candidate is on standby', () => first.lease.state === 'standby');
    await traffic.finish();
    testbed.exceeded.push(...rivals.problems());
  },
};

export async function startGroup(testbed: Testbed): Promise<SentinelGroup> {
  const random = testbed.random.fork('sentinel');
  const group = await SentinelGroup.start({ random, downAfterMs: DOWN_AFTER_MS });
  testbed.atEnd(() => group[Symbol.asyncDispose]());
  return group;
}

export function groupOf(group: SentinelGroup): ServerGroup {
  return { url: group.url, serverOf: async () => (await group.master()).server };
}

async function failMaster(
  testbed: Testbed,
  inject: (group: SentinelGroup, master: ProxiedServer) => unknown,
): Promise<void> {
  const group = await startGroup(testbed);
  const desk = await FailoverDesk.open(testbed, groupOf(group));
  const master = await group.master();
  const failedAt = performance.now();
  await inject(group, master);
  await desk.liveAgain(failedAt, LIVE_AGAIN_MS, { electionDelayMs: () => group.electionDelayMs() });
  await group.untilMaster((server) => server !== master);
  await desk.finish();
}

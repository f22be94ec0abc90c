// Failovers of a real Sentinel group: publishers and subscribers are live again, and no loss is silent. The fault
// scenarios of Sentinel groups check how soon, because nothing else runs beside them.

import { setTimeout as sleep } from 'node:timers/promises';
import { type ProxiedServer, SentinelGroup } from '@tickbus/fault-kit/sentinel-group';
import { Random } from '@tickbus/test-kit/random';
import { describe, expect, it, onTestFinished } from 'vitest';
import { expectNoHarm } from './no-harm.fixture.ts';
import { SentinelTraffic, SHARED } from './sentinel-traffic.fixture.ts';

const SEED = 1;
const DOWN_AFTER_MS = 1_000;
const MESSAGES_MEANWHILE = 100;
const LAG_MS = 300;
const TEST_TIMEOUT_MS = 120_000;

async function startTraffic(args: readonly string[] = []) {
  const group = await SentinelGroup.start({ random: new Random(SEED), downAfterMs: DOWN_AFTER_MS, args });
  onTestFinished(() => group[Symbol.asyncDispose]());
  const traffic = new SentinelTraffic(group.url);
  onTestFinished(() => traffic[Symbol.asyncDispose]());
  await traffic.start();
  return { group, traffic, master: await group.master() };
}

async function expectNothingSilent(traffic: SentinelTraffic): Promise<void> {
  await traffic.untilNewEpoch();
  expectNoHarm(await traffic.finish());
  expect(traffic.samplesWithTwoHolders).toBe(0);
}

/** As docs/sentinel.md advises. */
const MIN_REPLICAS = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2'];

interface Fault {
  readonly fault: string;
  readonly args?: readonly string[];
  readonly inject: (group: SentinelGroup, master: ProxiedServer) => unknown;
}

const FAULTS: readonly Fault[] = [
  { fault: 'is killed', inject: (_, { server }) => server.kill() },
  { fault: 'hangs (SIGSTOP)', inject: (_, { server }) => server.pause() },
  { fault: 'is isolated', inject: (group, master) => group.isolate(master) },
  {
    fault: 'is isolated, and needs a replica',
    args: MIN_REPLICAS,
    inject: (group, master) => group.isolate(master),
  },
  {
    fault: 'is killed before its replicas have its last messages',
    async inject(group, master) {
      await group.lag(master);
      await sleep(LAG_MS);
      await master.server.kill();
    },
  },
];

describe('when the master', () => {
  it.each(FAULTS)(
    '$fault, all channels are live again, and no loss is silent',
    async ({ args, inject }) => {
      const { group, traffic, master } = await startTraffic(args);
      await inject(group, master);
      await traffic.untilNewEpoch(SHARED);
      await traffic.untilLive(SHARED);
      await traffic.untilNewEpoch();
      await traffic.untilLive();
      expect(await group.master()).not.toBe(master);
      await expectNothingSilent(traffic);
    },
    TEST_TIMEOUT_MS,
  );
});

describe('clients that are isolated together with the old master', () => {
  it(
    'move when they hear of the new one',
    async () => {
      const { group, traffic, master } = await startTraffic();
      group.isolate(master, await group.linksTo(master, ' name=tickbus:'));
      await group.untilMaster((server) => server !== master);
      await traffic.untilNewEpoch(SHARED);
      await traffic.untilLive(SHARED);
      await expectNothingSilent(traffic);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'publish there while they reach no sentinel, then move, and report the loss',
    async () => {
      const { group, traffic, master } = await startTraffic();
      const kept = await group.linksTo(master, ' name=tickbus:');
      for (const sentinel of group.sentinels) {
        sentinel.proxy.refuse();
        for (const link of await group.linksTo(sentinel, ' name=tickbus:'))
          link.inject({ type: 'blackhole' });
      }
      group.isolate(master, kept);
      await group.untilMaster((server) => server !== master);
      await traffic.untilHandled(MESSAGES_MEANWHILE, SHARED);
      for (const { proxy } of group.sentinels) proxy.heal();
      await traffic.untilNewEpoch(SHARED);
      await traffic.untilLive(SHARED);
      await expectNothingSilent(traffic);
    },
    TEST_TIMEOUT_MS,
  );
});

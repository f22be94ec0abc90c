// Faults of a real cluster under traffic: how soon every channel is live again, that no loss is silent, and that the
// channels of other nodes notice nothing.

import { ProxiedCluster } from '@tickbus/fault-kit/proxied-cluster';
import { type ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import { leasedPublisher } from '@tickbus/test-kit/leases';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectNoHarm } from '../no-harm.fixture.ts';
import { BONDS, ClusterTraffic, channelsOf, FILLS, LEASED } from './cluster-traffic.fixture.ts';

const NODE_TIMEOUT_MS = 1_000;
const FAILOVER_MS = 2 * NODE_TIMEOUT_MS + 3_000;
const ORDERLY_MS = 1_000;
const TEST_TIMEOUT_MS = 60_000;

const namesOf = (channels: readonly { readonly name: string }[]) => channels.map(({ name }) => name).sort();

describe('with replicas', () => {
  let cluster: LocalCluster;
  beforeAll(async () => {
    cluster = await LocalCluster.start({ replicas: 1, nodeTimeoutMs: NODE_TIMEOUT_MS });
  });
  afterEach(async () => {
    await cluster.heal();
    // The next test must not get these last values.
    for (const { server } of cluster.nodes) await server.answers('FLUSHALL');
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  it.each([
    ['killed', (master: ClusterNode) => master.server.kill()],
    ['stopped (SIGSTOP)', async (master: ClusterNode) => master.server.pause()],
  ])(
    'the channels of a master that is %s are live again in time',
    async (_, inject) => {
      await using traffic = new ClusterTraffic(cluster);
      await traffic.start();
      const master = await cluster.ownerOf(FILLS.name);
      const affected = await channelsOf(cluster, master);
      await inject(master);
      const failedAt = performance.now();
      await traffic.untilLive(affected);
      expect(performance.now() - failedAt).toBeLessThan(FAILOVER_MS);
      expect([...traffic.linkChanges].sort()).toEqual(namesOf(affected));
      expectNoHarm(await traffic.finish());
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'a failover in order interrupts the channels of that master for less than a second',
    async () => {
      await using traffic = new ClusterTraffic(cluster);
      await traffic.start();
      const master = await cluster.ownerOf(FILLS.name);
      const affected = namesOf(await channelsOf(cluster, master));
      await cluster.failover(master);
      const doneAt = performance.now();
      await traffic.untilLive();
      expect(performance.now() - doneAt).toBeLessThan(ORDERLY_MS);
      expect([...traffic.linkChanges].sort()).toEqual(affected);
      expectNoHarm(await traffic.finish());
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'a channel whose slot moves under traffic is live within a second, and nothing is published twice or lost',
    async () => {
      await using traffic = new ClusterTraffic(cluster);
      await traffic.start();
      const from = await cluster.ownerOf(FILLS.name);
      const to = await cluster.ownerOf('elsewhere');
      expect(to).not.toBe(from);
      await cluster.migrate(FILLS.name, to);
      const doneAt = performance.now();
      await traffic.untilLive();
      expect(performance.now() - doneAt).toBeLessThan(ORDERLY_MS);
      expect([...traffic.linkChanges]).toEqual([FILLS.name]);
      expectNoHarm(await traffic.finish());
    },
    TEST_TIMEOUT_MS,
  );
});

it(
  'the channels of a master that is cut off from the others are live again at its replica in time',
  async () => {
    await using proxied = await ProxiedCluster.start({ replicas: 1, nodeTimeoutMs: NODE_TIMEOUT_MS });
    const { cluster } = proxied;
    await using traffic = new ClusterTraffic(cluster);
    await traffic.start();
    const master = await cluster.ownerOf(FILLS.name);
    const affected = await channelsOf(cluster, master);
    proxied.isolate(master);
    const failedAt = performance.now();
    await cluster.untilOwnerIsNot(master, FILLS.name);
    await traffic.untilLive(affected);
    expect(performance.now() - failedAt).toBeLessThan(FAILOVER_MS);
    proxied.reunite();
    await cluster.untilInSync(master);
    await traffic.untilLive();
    expect([...traffic.linkChanges].sort()).toEqual(namesOf(affected));
    expectNoHarm(await traffic.finish());
  },
  TEST_TIMEOUT_MS,
);

describe('an exclusive writer', () => {
  let cluster: LocalCluster;
  beforeAll(async () => {
    cluster = await LocalCluster.start({ replicas: 1, nodeTimeoutMs: NODE_TIMEOUT_MS });
  });
  afterEach(() => cluster.heal());
  afterAll(() => cluster[Symbol.asyncDispose]());

  it.each([
    [
      'its channel moves to another node',
      ORDERLY_MS,
      async () => {
        await cluster.migrate(LEASED.name, await cluster.ownerOf('elsewhere'));
      },
    ],
    [
      'its master hands over in order',
      ORDERLY_MS,
      async (master: ClusterNode) => {
        await cluster.failover(master);
      },
    ],
    ['its master is killed', FAILOVER_MS, (master: ClusterNode) => master.server.kill()],
  ])(
    'publishes on under the same lease when %s',
    async (_, limitMs, inject) => {
      await using leased = await leasedPublisher(LEASED, cluster.url);
      await using traffic = new ClusterTraffic(cluster, [LEASED], { lease: leased.lease });
      await traffic.start();
      const { token } = leased.lease;
      await inject(await cluster.ownerOf(LEASED.name));
      const doneAt = performance.now();
      await traffic.untilLive();
      expect(performance.now() - doneAt).toBeLessThan(limitMs);
      expect(leased.lease.token).toBe(token);
      expectNoHarm(await traffic.finish());
    },
    TEST_TIMEOUT_MS,
  );
});

describe('without replicas', () => {
  it(
    'a killed master turns the verdicts of its channels alone, and they come back with it',
    async () => {
      await using cluster = await LocalCluster.start({
        nodeTimeoutMs: NODE_TIMEOUT_MS,
        args: ['--cluster-require-full-coverage', 'no'],
      });
      await using traffic = new ClusterTraffic(cluster);
      await traffic.start();
      const master = await cluster.ownerOf(FILLS.name);
      const affected = await channelsOf(cluster, master);
      await traffic.untilVerdict('fresh');
      traffic.forget();
      await master.server.kill();
      await traffic.untilVerdict('link_down', affected);
      await traffic.untilLive(traffic.channels.filter((channel) => !affected.includes(channel)));
      await cluster.heal();
      await traffic.untilVerdict('fresh');
      await traffic.untilLive();
      expect([...traffic.verdictChanges].sort()).toEqual([BONDS.name]);
      expect([...traffic.linkChanges].sort()).toEqual(namesOf(affected));
      expectNoHarm(await traffic.finish());
    },
    TEST_TIMEOUT_MS,
  );
});

// A soak on a cluster of three masters and three replicas, which reach each other through proxies.

import type { ProxiedCluster } from '@tickbus/fault-kit/proxied-cluster';
import type { ClusterNode } from '@tickbus/local-redis/cluster';
import type { Random } from '@tickbus/test-kit/random';
import { groupOf, startProxiedCluster } from '../failover/clusters.ts';
import { CHANNELS } from '../failover/failover-desk.ts';
import type { Testbed } from '../testbed.ts';
import { delay } from '../wait.ts';
import { handOver, killHolder, type LeaseContest } from './lease-contest.ts';
import type { SoakSetting } from './soak-setting.ts';

const NODE_TIMEOUT_MS = 2_000;
/** Longer than the election of a replica. */
const MAX_OUTAGE_MS = 6_000;
const CLIENTS = 4;

interface ClusterFaultTargets {
  readonly testbed: Testbed;
  readonly proxied: ProxiedCluster;
  /** The master of a random channel. */
  readonly master: ClusterNode;
  /** A random channel. */
  readonly channel: string;
  readonly contest: LeaseContest;
  readonly random: Random;
}

interface ClusterFault {
  readonly name: string;
  readonly inject: (targets: ClusterFaultTargets) => Promise<unknown>;
}

const FAULTS: readonly [ClusterFault, ...ClusterFault[]] = [
  { name: 'kill -9', inject: ({ master, random }) => failFor(random, () => master.server.kill()) },
  { name: 'SIGSTOP', inject: ({ master, random }) => failFor(random, async () => master.server.pause()) },
  {
    name: 'isolation',
    inject: ({ proxied, master, random }) => failFor(random, async () => proxied.isolate(master)),
  },
  {
    name: 'tail missing',
    async inject({ proxied, master, random }) {
      proxied.lag(master);
      await delay(random.int(50, 500));
      await master.server.kill();
      proxied.reunite();
      await delay(random.int(50, MAX_OUTAGE_MS));
    },
  },
  {
    name: 'replica killed',
    inject: async ({ proxied, master }) => (await proxied.cluster.replicaOf(master)).server.kill(),
  },
  { name: 'orderly failover', inject: ({ proxied, master }) => proxied.cluster.failover(master) },
  {
    name: 'slot moved',
    async inject({ proxied: { cluster }, channel, random }) {
      const owner = await cluster.ownerOf(random.pick(CHANNEL_NAMES));
      if (owner !== (await cluster.ownerOf(channel))) await cluster.migrate(channel, owner);
    },
  },
  {
    name: 'all down',
    async inject({ proxied: { cluster }, random }) {
      await Promise.all(cluster.nodes.map(({ server }) => server.kill()));
      await delay(random.int(0, 1_000));
    },
  },
  {
    name: 'CLIENT KILL',
    inject: ({ master, random }) =>
      master.server.answers(`CLIENT KILL TYPE ${random.pick(['normal', 'pubsub'])}`),
  },
  { name: 'FLUSHALL', inject: ({ master }) => master.server.answers('FLUSHALL') },
  { name: 'lease handed over', inject: ({ contest }) => handOver(contest) },
  { name: 'holder killed', inject: ({ contest, testbed, random }) => killHolder(contest, testbed, random) },
];

const CHANNEL_NAMES = CHANNELS.map(({ name }) => name) as [string, ...string[]];

export class ClusterSoak implements SoakSetting {
  readonly mayRepeatLastValues = true;
  readonly ports = Array.from({ length: CLIENTS }, () => undefined);
  readonly #testbed: Testbed;
  readonly #proxied: ProxiedCluster;

  private constructor(testbed: Testbed, proxied: ProxiedCluster) {
    this.#testbed = testbed;
    this.#proxied = proxied;
  }

  static async start(testbed: Testbed): Promise<ClusterSoak> {
    const proxied = await startProxiedCluster(testbed, NODE_TIMEOUT_MS);
    testbed.moveToGroup(groupOf(proxied.cluster));
    return new ClusterSoak(testbed, proxied);
  }

  /** Each fault meets a complete cluster. Two masters at once are no majority. */
  async inject(random: Random, contest: LeaseContest): Promise<string> {
    const { name, inject } = random.pick(FAULTS);
    const channel = random.pick(CHANNEL_NAMES);
    const master = await this.#proxied.cluster.ownerOf(channel);
    await inject({ testbed: this.#testbed, proxied: this.#proxied, master, channel, contest, random });
    await this.heal();
    return name;
  }

  async heal(): Promise<void> {
    this.#proxied.reunite();
    await this.#proxied.cluster.heal();
  }
}

/** Waits for a random time after the failure: sometimes less, sometimes more than an election takes. */
async function failFor(random: Random, fail: () => Promise<unknown>): Promise<void> {
  await fail();
  await delay(random.int(50, MAX_OUTAGE_MS));
}

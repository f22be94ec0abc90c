// Asks to a bot that lives through the loss of masters: each ends once, and the bot is never called absent.

import { ownPair } from '@tickbus/fault-kit/asked-bot';
import { startCluster } from '../failover/clusters.ts';
import type { Scenario } from '../scenario.ts';
import { checkAsks } from './asks.ts';
import { startGroup } from './sentinel-failovers.ts';

const NODE_TIMEOUT_MS = 1_000;
const FAILOVER = { waits: 'failover', server: 'none' } as const;
/** In each of these faults, the commands, what is known of the bot, or the answers move to another node. */
const FAILING = ['JOBS', 'PRESENCE', 'JOB_RESULTS'];

export const asksOnCluster: Scenario = {
  ...FAILOVER,
  group: 'cluster',
  name: '16-cluster-asks',
  expected:
    'Of 2,000 asks on a cluster whose masters are killed, each ends once, none is obeyed twice, and the bot is never absent.',
  async run(testbed) {
    const cluster = await startCluster(testbed, NODE_TIMEOUT_MS);
    const left = FAILING.values();
    const fault = async () => {
      const { value: channel = '' } = left.next();
      const owner = await cluster.ownerOf(channel);
      await owner.server.kill();
      await cluster.untilOwnerIsNot(owner, channel);
      await cluster.heal();
    };
    const options = { url: cluster.url, count: 2_000, pair: ownPair(1), faults: FAILING.length };
    await checkAsks(testbed, { ...options, fault, keepsBot: true });
  },
};

export const asksBehindSentinel: Scenario = {
  ...FAILOVER,
  group: 'sentinel',
  name: '17-sentinel-asks',
  expected: 'The same for 2,000 asks of a bot of the kit behind Sentinel, whose master is killed.',
  async run(testbed) {
    const group = await startGroup(testbed);
    const fault = async () => {
      const master = await group.master();
      await master.server.kill();
      await group.untilMaster((server) => server !== master);
    };
    await checkAsks(testbed, { url: group.url, count: 2_000, fault, faults: 1, keepsBot: true });
  },
};

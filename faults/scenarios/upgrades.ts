// Programs of this version beside those of an older checkout, as during an upgrade or a rollback.

import { groupOf as groupOfCluster, startCluster } from '../failover/clusters.ts';
import type { Scenario } from '../scenario.ts';
import { askEachOther, lookAtEachOther } from '../upgrade/bots.ts';
import { upgradeDesk } from '../upgrade/desk.ts';
import { takeTurns } from '../upgrade/turns.ts';
import { groupOf, startGroup } from './sentinel-failovers.ts';

const NODE_TIMEOUT_MS = 5_000;

/** @param old the folder of the older checkout */
export function upgradesFrom(old: string): readonly Scenario[] {
  return [
    {
      name: '01-upgrade-turns',
      expected:
        'Old and new holders take over from each other, killed or ended; old and new bots miss nothing silently.',
      waits: 'busy',
      shortened: '4 takeovers instead of 12',
      run: (testbed) => takeTurns(testbed, old, testbed.scaled(12, 4)),
    },
    {
      name: '02-upgrade-cluster',
      expected: 'The same on a cluster.',
      group: 'cluster',
      server: 'none',
      async run(testbed) {
        testbed.moveToGroup(groupOfCluster(await startCluster(testbed, NODE_TIMEOUT_MS)));
        await takeTurns(testbed, old, 4);
      },
    },
    {
      name: '03-upgrade-sentinel',
      expected: 'The same behind Sentinel.',
      group: 'sentinel',
      server: 'none',
      async run(testbed) {
        testbed.moveToGroup(groupOf(await startGroup(testbed)));
        await takeTurns(testbed, old, 4);
      },
    },
    {
      name: '04-upgrade-gateways',
      expected:
        'Old and new gateways take over from each other; new ones lose no trade silently and repeat nothing.',
      run: (testbed) => upgradeDesk(testbed, { old, turns: 4, hasIds: true }),
    },
    {
      name: '05-upgrade-partitions',
      expected: 'The same in a namespace, with partitions, at a venue without identifiers of trades.',
      run: (testbed) =>
        upgradeDesk(testbed, {
          old,
          turns: 4,
          hasIds: false,
          settings: { TICKBUS_NAMESPACE: 'paper', PARTITIONS: '4' },
        }),
    },
    {
      name: '06-upgrade-asks',
      expected:
        'Desks ask bots of the other version: each ask is obeyed once, and a bot that ended is absent.',
      run: (testbed) => askEachOther(testbed, old),
    },
    {
      name: '07-upgrade-tools',
      expected: 'The command line of each version sees, checks and commands the bots of the other one.',
      run: (testbed) => lookAtEachOther(testbed, old),
    },
  ];
}

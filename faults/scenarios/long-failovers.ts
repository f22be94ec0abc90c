// Faults of a cluster with the node timeout of production, and a reshard of hundreds of slots.

import type { Scenario } from '../scenario.ts';
import { failMaster, failProxied, isolate, restartAll } from './cluster-failovers.ts';
import { reshard } from './cluster-moves.ts';

const NODE_TIMEOUT_MS = 5_000;
const SLOTS = 600;

const LONG = { group: 'cluster', waits: 'failover', server: 'none' } as const;

export const longKilled: Scenario = {
  ...LONG,
  name: '14-long-killed',
  expected: 'With a node timeout of 5 s, the channels of a killed master are live again in time.',
  run: (testbed) => failMaster(testbed, NODE_TIMEOUT_MS, ({ server }) => server.kill()),
};

export const longStopped: Scenario = {
  ...LONG,
  name: '15-long-stopped',
  expected: 'The same if the master hangs (SIGSTOP).',
  run: (testbed) => failMaster(testbed, NODE_TIMEOUT_MS, async ({ server }) => server.pause()),
};

export const longIsolated: Scenario = {
  ...LONG,
  name: '16-long-isolated',
  expected: 'The same if the others do not reach the master and clients do.',
  run: (testbed) => failProxied(testbed, NODE_TIMEOUT_MS, isolate),
};

export const longDown: Scenario = {
  ...LONG,
  name: '17-long-down',
  expected: 'The same after all nodes were killed and restarted.',
  run: (testbed) => restartAll(testbed, NODE_TIMEOUT_MS),
};

export const longReshard: Scenario = {
  ...LONG,
  name: '18-long-reshard',
  expected: `After a move of ${SLOTS} slots, their channels are live again within 1 s.`,
  run: (testbed) => reshard(testbed, NODE_TIMEOUT_MS, SLOTS),
};

// Asks while links are cut, and while Redis restarts.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { ownPair } from '@tickbus/fault-kit/asked-bot';
import { type AskOverCutsOptions, askOverCuts } from '@tickbus/fault-kit/asks';
import type { Scenario } from '../scenario.ts';
import type { Testbed } from '../testbed.ts';

const LONG = { waits: 'long', shortened: '1,000 asks' } as const;

export const asksOverCuts: Scenario = {
  ...LONG,
  name: '54-asks-over-cuts',
  expected:
    'Of 10,000 asks over links that are cut every few dozen, each ends once, and none is obeyed twice.',
  async run(testbed) {
    await checkAsks(testbed, { port: testbed.redis.port });
  },
};

export const asksOverMemoryLoss: Scenario = {
  ...LONG,
  name: '56-asks-memory-lost',
  expected:
    'The same on own channels with 4 partitions, while Redis restarts without its memory, and the bot.',
  run: (testbed) => askOverRestarts(testbed, 4),
};

export const asksOverRestarts: Scenario = {
  ...LONG,
  name: '57-asks-memory-kept',
  expected: 'The same on own channels, while Redis restarts with its memory, and the bot.',
  server: { keepsData: true, args: ['--appendonly', 'yes', '--appendfsync', 'always'] },
  run: (testbed) => askOverRestarts(testbed, 1),
};

async function askOverRestarts(testbed: Testbed, partitions: number): Promise<void> {
  const { redis } = testbed;
  const fault = async () => {
    await redis.kill();
    await redis.start();
  };
  await checkAsks(testbed, { port: redis.port, pair: ownPair(partitions), fault, faults: 4 });
}

/** @returns the number of asks by outcome */
export async function checkAsks(testbed: Testbed, options: Partial<AskOverCutsOptions>) {
  const { count = testbed.scaled(10_000, 1_000) } = options;
  const { random, logger } = testbed;
  testbed.reportWaiting();
  const report = await askOverCuts({ random, logger, timeoutMs: 3_000, ...options, count });
  const { asked, outcomes, cuts, obeyed, violations } = report;
  testbed.note(`${asked} asks, ${obeyed} obeyed; ${cuts} cuts; ${JSON.stringify(outcomes)}`);
  deepEqual(violations, []);
  const ended = Object.values(outcomes).reduce((sum, ends) => sum + ends, 0);
  equal(ended, asked, 'every ask ends');
  ok((outcomes.done ?? 0) > count / 10, 'many asks are answered');
  ok(options.url !== undefined || cuts > 0, 'links were cut');
  return outcomes;
}

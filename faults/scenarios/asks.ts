// Asks while the links of the desk and of the bot are cut.

import { deepEqual, equal, ok } from 'node:assert/strict';
import { askOverCuts } from '@tickbus/fault-kit/asks';
import type { Scenario } from '../scenario.ts';

export const asksOverCuts: Scenario = {
  name: '54-asks-over-cuts',
  expected:
    'Of 10,000 asks over links that are cut every few dozen, each ends once, and none is obeyed twice.',
  waits: 'long',
  shortened: '1,000 asks',
  async run(testbed) {
    const count = testbed.scaled(10_000, 1_000);
    const { random, logger } = testbed;
    const { port } = testbed.redis;
    testbed.reportWaiting();
    const report = await askOverCuts({ port, count, random, logger, timeoutMs: 3_000 });
    const { outcomes, cuts, obeyed, violations } = report;
    testbed.note(`${cuts} cuts; ${obeyed} asks obeyed; ${JSON.stringify(outcomes)}`);
    deepEqual(violations, []);
    const ended = Object.values(outcomes).reduce((sum, ends) => sum + ends, 0);
    equal(ended, count, 'every ask ends');
    ok(cuts > 0 && (outcomes.done ?? 0) > count / 4, 'links were cut, and most asks are answered');
  },
};

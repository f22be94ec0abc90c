// Runs one scenario on a testbed of its own, and judges it: what it says itself, and the checked history.

import { type Figures, noFigures } from '@tickbus/fault-kit/check';
import { Random } from '@tickbus/test-kit/random';
import type { Scenario } from './scenario.ts';
import type { ScenarioResult } from './scenario-results.ts';
import { Testbed } from './testbed.ts';
import { within } from './wait.ts';

/** A scenario that hangs is given up; the longest is five minutes of idleness. */
const LIMIT_MS = 400_000;
const HARM = ['silent_lost', 'duplicates', 'out_of_order', 'made_up', 'inexact'] as const;

export interface ScenarioRunOptions {
  readonly seed: number;
  readonly quick: boolean;
  /** Called when the scenario says that it only waits from there on. */
  readonly onWaiting: () => void;
}

export async function runScenario(
  scenario: Scenario,
  { seed, quick, onWaiting }: ScenarioRunOptions,
): Promise<ScenarioResult> {
  const startedAt = performance.now();
  const random = new Random(seed).fork(scenario.name);
  const testbed = await Testbed.open({ random, quick, onWaiting, server: scenario.server });
  const problems: string[] = [];
  let figures: Figures = noFigures();
  const onUnhandled = (reason: unknown) => problems.push(`An unhandled rejection: ${textOf(reason)}`);
  process.on('unhandledRejection', onUnhandled);
  try {
    await within(scenario.name, scenario.run(testbed), LIMIT_MS);
  } catch (error) {
    problems.push(
      textOf(error),
      'It stopped before its history was settled: what was on its way counts as lost.',
      `The last log lines: ${testbed.log.slice(-5).join(' | ') || 'none'}`,
    );
  }
  try {
    problems.push(...testbed.exceeded);
    const checked = testbed.checkHistory();
    figures = checked.figures;
    if (HARM.some((harm) => figures[harm] > 0)) problems.push(...checked.problems);
    await testbed[Symbol.asyncDispose]();
  } catch (error) {
    problems.push(`At its end: ${textOf(error)}`);
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
  const ms = Math.round(performance.now() - startedAt);
  return { name: scenario.name, passed: problems.length === 0, ms, figures, notes: testbed.notes, problems };
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

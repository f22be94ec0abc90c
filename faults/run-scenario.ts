// Runs one scenario on a new testbed, and checks its own assertions, its bounds and its history.

import { type Figures, noFigures } from '@tickbus/fault-kit/check';
import { Random } from '@tickbus/test-kit/random';
import type { Scenario } from './scenario.ts';
import type { ScenarioResult } from './scenario-results.ts';
import { Testbed } from './testbed.ts';
import { within } from './wait.ts';

/** Time limit of a scenario. The longest one is idle for five minutes. */
const LIMIT_MS = 400_000;
const DAMAGE = ['silent_lost', 'duplicates', 'out_of_order', 'made_up', 'inexact'] as const;

export interface ScenarioRunOptions {
  readonly seed: number;
  readonly quick: boolean;
  readonly floodSeconds: number | undefined;
  /** Called when the scenario has finished its measurements and only waits. */
  readonly onWaiting: () => void;
}

export async function runScenario(
  scenario: Scenario,
  { seed, quick, floodSeconds, onWaiting }: ScenarioRunOptions,
): Promise<ScenarioResult> {
  const startedAt = performance.now();
  const random = new Random(seed).fork(scenario.name);
  const testbed = await Testbed.open({ random, quick, floodSeconds, onWaiting, server: scenario.server });
  const problems: string[] = [];
  let figures: Figures = noFigures();
  const onUnhandled = (reason: unknown) => problems.push(`Unhandled rejection: ${textOf(reason)}`);
  process.on('unhandledRejection', onUnhandled);
  try {
    await within(scenario.name, scenario.run(testbed), LIMIT_MS);
  } catch (error) {
    problems.push(
      textOf(error),
      'The scenario stopped before all messages were delivered. Messages in flight count as lost.',
      `Last log lines: ${testbed.log.slice(-5).join(' | ') || 'none'}`,
    );
  }
  try {
    problems.push(...testbed.exceeded);
    const checked = testbed.checkHistory();
    figures = checked.figures;
    if (DAMAGE.some((name) => figures[name] > 0)) problems.push(...checked.problems);
    await testbed[Symbol.asyncDispose]();
  } catch (error) {
    problems.push(`During clean-up: ${textOf(error)}`);
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
  const ms = Math.round(performance.now() - startedAt);
  return { name: scenario.name, passed: problems.length === 0, ms, figures, notes: testbed.notes, problems };
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

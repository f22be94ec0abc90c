// Runs scenarios. Those that mostly wait run at the same time as others.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { noFigures } from '@tickbus/fault-kit/check';
import { runScenario } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';
import type { FaultsSummary, ScenarioResult } from './scenario-results.ts';

export interface RunnerOptions {
  readonly seed: number;
  readonly quick: boolean;
  readonly floodSeconds: number | undefined;
  readonly onResult: (result: ScenarioResult) => void;
  /** Called when a scenario in this process has finished its measurements and only waits. */
  readonly onWaiting: () => void;
}

/** With `--quick`, at most this many scenarios with `waits: 'busy'` run at the same time. */
const BUSY_AT_ONCE = 4;
/** At most this many scenarios with `waits: 'failover'` run at the same time. */
const FAILOVERS_AT_ONCE = 3;

/**
 * Runs the scenarios, in groups by their `waits`:
 *
 * - Without `quick`: `long` scenarios run in separate processes. Meanwhile, the others run one by one.
 * - `failover` scenarios run a few at a time.
 * - With `quick`: first all `long` and `short` scenarios at the same time, then the `busy` ones a few at a time, then
 *   the rest one by one.
 *
 * @returns the results in the order of the scenarios
 */
export async function runAll(
  scenarios: readonly Scenario[],
  options: RunnerOptions,
): Promise<ScenarioResult[]> {
  const results = new Map<Scenario, ScenarioResult>();
  const add = (scenario: Scenario, result: ScenarioResult) => {
    results.set(scenario, result);
    options.onResult(result);
  };
  const runHere = async (scenario: Scenario) => add(scenario, await runScenario(scenario, options));
  const beside = scenarios.length === 1 ? [] : scenarios.filter((one) => runsBeside(one, options));
  const separate = beside.filter(({ measuresHeap }) => !options.quick || measuresHeap);
  const running = await startOneByOne(separate, options, add);
  await Promise.all(beside.filter((one) => !separate.includes(one)).map(runHere));
  const busy = scenarios.filter(({ waits }) => options.quick && waits === 'busy');
  await runInOrder(busy, BUSY_AT_ONCE, runHere);
  const failovers = scenarios.filter(({ waits }) => waits === 'failover');
  await runInOrder(failovers, FAILOVERS_AT_ONCE, runHere);
  const rest = scenarios.filter((one) => ![beside, busy, failovers].some((group) => group.includes(one)));
  await runInOrder(rest, 1, runHere);
  await Promise.all(running);
  return scenarios.flatMap((scenario) => results.get(scenario) ?? []);
}

function runsBeside({ waits }: Scenario, { quick }: RunnerOptions): boolean {
  return waits === 'long' || (quick && waits === 'short');
}

/** Runs at most `atOnce` at the same time, in order. */
async function runInOrder(
  scenarios: readonly Scenario[],
  atOnce: number,
  run: (scenario: Scenario) => Promise<void>,
): Promise<void> {
  const left = scenarios.values();
  const worker = async () => {
    for (const scenario of left) await run(scenario);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Starts each scenario in a separate process, when the previous one has finished its measurements and only waits. */
async function startOneByOne(
  scenarios: readonly Scenario[],
  options: RunnerOptions,
  add: (scenario: Scenario, result: ScenarioResult) => void,
): Promise<Promise<void>[]> {
  const running: Promise<void>[] = [];
  for (const scenario of scenarios) {
    const { waiting, result } = inProcess(scenario, options);
    running.push(result.then((one) => add(scenario, one)));
    await waiting;
  }
  return running;
}

function inProcess({ name }: Scenario, { seed, quick, floodSeconds }: RunnerOptions) {
  const args = ['--only', name, '--seed', String(seed), '--json', ...(quick ? ['--quick'] : [])];
  if (floodSeconds !== undefined) args.push('--flood-seconds', String(floodSeconds));
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  const child = fork(main, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const end = () => child.kill();
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += String(chunk);
  });
  let errors = '';
  child.stderr?.on('data', (chunk) => {
    errors += String(chunk);
  });
  const closed = once(child, 'close');
  const waiting = Promise.race([once(child, 'message'), closed]);
  const result = closed.then(
    () => lastResult(output) ?? failed(name, `The scenario process exited without a result:\n${errors}`),
  );
  return { waiting, result };
}

function lastResult(output: string): ScenarioResult | undefined {
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  return last.startsWith('{') ? (JSON.parse(last) as FaultsSummary).results[0] : undefined;
}

function failed(name: string, problem: string): ScenarioResult {
  return { name, passed: false, ms: 0, figures: noFigures(), notes: [], problems: [problem] };
}

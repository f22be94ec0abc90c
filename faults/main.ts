// `npm run faults`: injects every fault of the list, and checks the history of every message.

import { parseFaultsOptions } from './fault-options.ts';
import type { Scenario } from './scenario.ts';
import { resultLine, type ScenarioResult, summarize, summaryLines } from './scenario-results.ts';
import { runAll } from './scenario-runner.ts';
import { SCENARIOS } from './scenarios/all.ts';
import { FAILOVERS, LONG_FAILOVERS } from './scenarios/failovers.ts';
import { upgradesFrom } from './scenarios/upgrades.ts';

const options = parseFaultsOptions(process.argv.slice(2));
const { quick, only, seed, json, list, floodSeconds, upgradeFrom } = options;
/** With --json, only the JSON line goes to stdout. The progress goes to stderr. */
const print = (text: string) => (json ? process.stderr : process.stdout).write(`${text}\n`);
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

const all = scenarios();
const chosen = only.length === 0 ? all : all.filter((scenario) => only.some((one) => matches(scenario, one)));
if (list) {
  for (const scenario of chosen) print(description(scenario));
} else if (chosen.length === 0) {
  print(`No scenario "${only.join('", "')}". See --list.`);
  process.exitCode = 1;
} else {
  await run();
}

function scenarios(): readonly Scenario[] {
  if (upgradeFrom !== undefined) return upgradesFrom(upgradeFrom);
  if (options.long) return LONG_FAILOVERS;
  return options.cluster ? FAILOVERS : SCENARIOS;
}

async function run(): Promise<void> {
  const startedAt = performance.now();
  print(
    `${chosen.length} scenarios, seed ${seed}${quick ? ', quick: shorter waits and fewer messages' : ''}`,
  );
  const results = await runAll(chosen, {
    seed,
    quick,
    floodSeconds,
    onWaiting: () => process.send?.('waiting'),
    onResult: (result: ScenarioResult) => print(resultLine(result)),
  });
  const summary = summarize(results, {
    seed,
    quick,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  });
  print(summaryLines(summary));
  const code = summary.passed === summary.tests ? 0 : 1;
  // Open handles of a failed scenario must not keep the process alive.
  process.stdout.write(json ? `${JSON.stringify(summary)}\n` : '', () => process.exit(code));
}

/** `3`, `03` and `03-server-paused` match the third scenario, `hostile` each one of that group. */
function matches({ name, group }: Scenario, given: string): boolean {
  return (
    name === given || group === given || (/^\d+$/.test(given) && Number(name.slice(0, 2)) === Number(given))
  );
}

function description({ name, expected, shortened }: Scenario): string {
  return `${name.padEnd(32)} ${expected}${shortened ? ` (--quick: ${shortened})` : ''}`;
}

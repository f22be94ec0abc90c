// npm run faults: does every kind of harm of the list, and says what became of every message.

import { parseFaultsOptions } from './fault-options.ts';
import type { Scenario } from './scenario.ts';
import { resultLine, type ScenarioResult, summarize, summaryLines } from './scenario-results.ts';
import { runAll } from './scenario-runner.ts';
import { SCENARIOS } from './scenarios/all.ts';

const { quick, only, seed, json, list } = parseFaultsOptions(process.argv.slice(2));
/** stdout is kept for the one line of JSON. */
const say = (text: string) => (json ? process.stderr : process.stdout).write(`${text}\n`);
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

const chosen =
  only.length === 0 ? SCENARIOS : SCENARIOS.filter(({ name }) => only.some((one) => isNamed(name, one)));
if (list) {
  for (const scenario of chosen) say(description(scenario));
} else if (chosen.length === 0) {
  say(`There is no scenario "${only.join('", "')}". See --list.`);
  process.exitCode = 1;
} else {
  await run();
}

async function run(): Promise<void> {
  const startedAt = performance.now();
  say(`${chosen.length} scenarios, seed ${seed}${quick ? ', quick: shorter waits and fewer messages' : ''}`);
  const results = await runAll(chosen, {
    seed,
    quick,
    onWaiting: () => process.send?.('waiting'),
    onResult: (result: ScenarioResult) => say(resultLine(result)),
  });
  const summary = summarize(results, {
    seed,
    quick,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  });
  say(summaryLines(summary));
  const code = summary.passed === summary.tests ? 0 : 1;
  // Whatever a failed scenario has left behind must not keep the process.
  process.stdout.write(json ? `${JSON.stringify(summary)}\n` : '', () => process.exit(code));
}

/** `3`, `03` and `03-server-paused` all name the third. */
function isNamed(name: string, asked: string): boolean {
  return name === asked || (/^\d+$/.test(asked) && Number(name.slice(0, 2)) === Number(asked));
}

function description({ name, expected, shortened }: Scenario): string {
  return `${name.padEnd(32)} ${expected}${shortened ? ` (--quick: ${shortened})` : ''}`;
}

// `npm run bench`: measures tickbus and its peers, writes the results as data, and RESULTS.md from them.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from './compile.ts';
import { describeMachine } from './machine.ts';
import { type BenchOptions, HELP, readOptions } from './options.ts';
import { table } from './report/text.ts';
import { type Result, writeResult } from './results.ts';
import { run } from './runner.ts';
import { summarize } from './summary.ts';
import { WORKLOADS } from './workloads/list.ts';
import type { Context, Workload } from './workloads/workload.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const RECORDINGS = ['coinbase-2021-04-17.jsonl.gz', 'binance-futures-2021-07-22.jsonl.gz'];

/** Loaded by a name in a constant: the static checks of the project run without the packages that draw. */
const PAGE: string = './report/page.ts';

interface ResultsPage {
  writeResultsPage(folder: string, order: readonly string[]): Promise<void>;
}

// Ctrl-C: the servers and workers end with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await main(readOptions(process.argv.slice(2)));

async function main(options: BenchOptions): Promise<void> {
  if (options.help) return console.log(HELP);
  if (options.list)
    return console.log(WORKLOADS.map(({ name, title }) => `${name.padEnd(20)} ${title}`).join('\n'));
  const say = (line: string) => console.error(line);
  const workloads = chosen(options);
  const machine = describeMachine();
  say(
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGb} GB, ${machine.system}, Node.js ${machine.node}, load ${machine.loadBefore}; seed ${options.seed}`,
  );
  compile(options.baseline);
  const context: Context = { seed: options.seed, recordings: recordings() };
  const { pairs, seconds } = options;
  const results: Result[] = [];
  for (const workload of workloads) {
    say(`\n${workload.title} (${workload.name})`);
    const participants = contestants(workload, options);
    const outcome = await run({ workload, participants, pairs, seconds, context, say });
    const { name, title, about, metrics } = workload;
    const result: Result = {
      workload: name,
      title,
      about,
      metrics,
      measuredAt: new Date().toISOString(),
      machine,
      seed: options.seed,
      pairs,
      secondsARun: seconds,
      isQuick: options.isQuick,
      ...outcome,
    };
    results.push(result);
    // A choice of participants or a second checkout is for working on tickbus, not for the page.
    if (options.peers.length === 0 && options.baseline === undefined)
      writeResult(join(HERE, options.isQuick ? 'results/quick' : 'results'), result);
    say(table(result));
  }
  if (options.isQuick) say(`\n${skippedByQuick(workloads)}`);
  await writePage(say);
  if (options.json) console.log(JSON.stringify(summarize(results)));
}

function chosen({ only, isQuick }: BenchOptions): readonly Workload[] {
  const asked = WORKLOADS.filter(
    ({ name }) =>
      only.length === 0 || only.some((wanted) => name === wanted || name.startsWith(`${wanted}_`)),
  );
  if (asked.length === 0) throw new Error(`No workload is called ${only.join(' or ')}. See --list.`);
  return isQuick ? asked.filter(({ quick }) => quick !== undefined) : asked;
}

function contestants(
  { participants, quick }: Workload,
  { isQuick, peers, baseline }: BenchOptions,
): string[] {
  const all = isQuick ? (quick ?? []) : participants;
  const asked = peers.length === 0 ? all : all.filter((name) => peers.includes(name));
  return baseline !== undefined && asked.includes('tickbus') ? [...asked, 'tickbus-baseline'] : [...asked];
}

function recordings(): string[] {
  const folders = ['../../shared/data', '../../../shared/data'].map((path) => join(HERE, path));
  const folder = folders.find((candidate) => RECORDINGS.every((file) => existsSync(join(candidate, file))));
  return folder === undefined ? [] : RECORDINGS.map((file) => join(folder, file));
}

function skippedByQuick(measured: readonly Workload[]): string {
  const left = WORKLOADS.filter((workload) => !measured.includes(workload)).map(({ name }) => name);
  return `--quick measured node-redis and NATS only, and left out ${left.join(', ')}. Without it all peers and workloads are measured.`;
}

/** Only where the packages that draw are installed. */
async function writePage(say: (line: string) => void): Promise<void> {
  if (!existsSync(join(HERE, 'node_modules/vega-lite'))) {
    return say(
      'RESULTS.md was not written: the packages that draw its charts are not installed (npm run bench:install).',
    );
  }
  const page = (await import(PAGE)) as ResultsPage;
  await page.writeResultsPage(
    HERE,
    WORKLOADS.map(({ name }) => name),
  );
  say('benchmarks/RESULTS.md is written.');
}

// `npm run bench`: measures tickbus and its peers. A whole run writes RESULTS.md.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BenchmarkOptions, HELP, isWholeRun, readOptions } from './benchmark-options.ts';
import { compile } from './compile.ts';
import { describeMachine } from './machine.ts';
import { table } from './report/text.ts';
import { summarize } from './summary.ts';
import { readResults, type WorkloadResult, writeResults } from './workload-results.ts';
import { run } from './workload-runner.ts';
import { WORKLOADS } from './workloads/list.ts';
import type { Workload, WorkloadContext } from './workloads/workload.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const DATA = join(HERE, 'results');
const RECORDINGS = ['coinbase-2021-04-17.jsonl.gz', 'binance-futures-2021-07-22.jsonl.gz'];

/** `import()` gets this variable instead of a literal, so that static checks do not need the chart packages. */
const PAGE: string = './report/page.ts';

interface ResultsPage {
  writeResultsPage(folder: string, results: readonly WorkloadResult[]): Promise<void>;
}

// A signal ends the process normally, so that its exit listeners kill the servers and workers.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await main(readOptions(process.argv.slice(2)));

async function main(options: BenchmarkOptions): Promise<void> {
  if (options.help) return console.log(HELP);
  if (options.list)
    return console.log(WORKLOADS.map(({ name, title }) => `${name.padEnd(20)} ${title}`).join('\n'));
  const log = (line: string) => console.error(line);
  if (options.page) return writePage(readResults(DATA, namesOf(WORKLOADS)), log);
  const workloads = selectWorkloads(options);
  const machine = describeMachine();
  log(
    `${machine.cores} cores of ${machine.cpu}, ${machine.memoryGb} GB, ${machine.system}, Node.js ${machine.node}, ` +
      `load ${machine.loadBefore}; seed ${options.seed}`,
  );
  compile(options.baseline);
  const context: WorkloadContext = { seed: options.seed, recordings: recordings() };
  const { pairs, seconds } = options;
  const results: WorkloadResult[] = [];
  for (const workload of workloads) {
    log(`\n${workload.title} (${workload.name})`);
    const participants = participantsFor(workload, options);
    const outcome = await run({ workload, participants, pairs, seconds, context, log });
    const { name, title, about, metrics } = workload;
    const result: WorkloadResult = {
      workload: name,
      title,
      about,
      metrics,
      measuredAt: new Date().toISOString(),
      machine,
      seed: options.seed,
      pairs,
      secondsARun: seconds,
      ...outcome,
    };
    results.push(result);
    log(table(result));
  }
  if (options.isQuick) log(`\n${skippedByQuick(workloads)}`);
  if (isWholeRun(options)) {
    writeResults(DATA, results);
    await writePage(results, log);
  } else {
    log('\nRESULTS.md is unchanged: only a whole run writes it (see --help).');
  }
  if (options.json) console.log(JSON.stringify(summarize(results)));
}

function selectWorkloads({ only, isQuick }: BenchmarkOptions): readonly Workload[] {
  const selected = WORKLOADS.filter(
    ({ name }) => only.length === 0 || only.some((given) => name === given || name.startsWith(`${given}_`)),
  );
  if (selected.length === 0) throw new Error(`No workload matches ${only.join(' or ')}. See --list.`);
  return isQuick ? selected.filter(({ quick }) => quick !== undefined) : selected;
}

function participantsFor(
  { participants, quick }: Workload,
  { isQuick, peers, baseline }: BenchmarkOptions,
): string[] {
  const all = isQuick ? (quick ?? []) : participants;
  const selected = peers.length === 0 ? all : all.filter((name) => peers.includes(name));
  return baseline !== undefined && selected.includes('tickbus')
    ? [...selected, 'tickbus-baseline']
    : [...selected];
}

function recordings(): string[] {
  const folders = ['../../shared/data', '../../../shared/data'].map((path) => join(HERE, path));
  const folder = folders.find((candidate) => RECORDINGS.every((file) => existsSync(join(candidate, file))));
  return folder === undefined ? [] : RECORDINGS.map((file) => join(folder, file));
}

function skippedByQuick(measured: readonly Workload[]): string {
  const skipped = namesOf(WORKLOADS.filter((workload) => !measured.includes(workload)));
  return (
    `--quick measured only node-redis and NATS, and skipped ${skipped.join(', ')}. ` +
    'Omit --quick to measure everything.'
  );
}

function namesOf(workloads: readonly Workload[]): string[] {
  return workloads.map(({ name }) => name);
}

async function writePage(results: readonly WorkloadResult[], log: (line: string) => void): Promise<void> {
  if (!existsSync(join(HERE, 'node_modules/vega-lite'))) {
    return log(
      'RESULTS.md is unchanged: the chart packages are not installed. ' +
        'Run "npm run bench:install", then "npm run bench -- --page".',
    );
  }
  const page = (await import(PAGE)) as ResultsPage;
  await page.writeResultsPage(HERE, results);
  log('Wrote benchmarks/RESULTS.md and its charts.');
}

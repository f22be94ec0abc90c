// `npm run soak`: rounds of random faults, on publishers and subscribers that stay open through all rounds.

import { addFigures, noFigures } from '@tickbus/fault-kit/check';
import { type HeapSample, heapAfterGc, slopePerMinute } from '@tickbus/fault-kit/heap';
import { Random } from '@tickbus/test-kit/random';
import { parseSoakOptions } from './fault-options.ts';
import { ClusterSoak } from './soak/cluster-soak.ts';
import { ServerSoak } from './soak/server-soak.ts';
import { DAMAGE, SoakRun } from './soak/soak-run.ts';
import { Testbed } from './testbed.ts';

/** Heap growth per minute that counts as a leak, in a run of `MIN_MINUTES` or more. */
const MAX_SLOPE_BYTES = 512 * 1024;
const MIN_MINUTES = 5;
/** Share of the run whose samples are ignored, because caches and compiled code grow first. */
const WARM_UP_SHARE = 0.25;

const { cluster, minutes, seed, json } = parseSoakOptions(process.argv.slice(2));
/** With --json, only the JSON line goes to stdout. The progress goes to stderr. */
const print = (text: string) => (json ? process.stderr : process.stdout).write(`${text}\n`);
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

print(`Soaking ${cluster ? 'a cluster ' : ''}for ${minutes} minutes, seed ${seed}`);
const random = new Random(seed);
const testbed = await Testbed.open({
  random,
  quick: false,
  onWaiting: () => {},
  server: cluster ? 'none' : { keepsData: true },
});
const setting = cluster ? await ClusterSoak.start(testbed) : await ServerSoak.start(testbed);
const soak = await SoakRun.create(testbed, setting);
const figures = noFigures();
const faults: Record<string, number> = {};
const samples: HeapSample[] = [];
const problems: string[] = [];
process.on('unhandledRejection', (reason) => problems.push(`Unhandled rejection: ${reason}`));
let [rounds, passed] = [0, 0];
const startedAt = performance.now();
const elapsedMs = () => performance.now() - startedAt;

while (elapsedMs() < minutes * 60_000) {
  rounds++;
  const round = await soak.runRound(random.fork(`round ${rounds}`));
  addFigures(figures, round.figures);
  for (const name of round.faults) faults[name] = (faults[name] ?? 0) + 1;
  problems.push(
    ...round.problems.map((problem) => `Round ${rounds} (${round.faults.join(', ')}): ${problem}`),
  );
  if (round.problems.length === 0) passed++;
  const bytes = heapAfterGc();
  samples.push({ atMs: elapsedMs(), bytes });
  const { published, delivered, reported_lost } = round.figures;
  const status = round.problems.length === 0 ? 'ok  ' : 'FAIL';
  const heap = `${(bytes / 2 ** 20).toFixed(1)} MB`;
  print(
    `${status} round ${rounds} at ${Math.round(elapsedMs() / 1_000)} s: ` +
      `published ${published}, delivered ${delivered}, reported lost ${reported_lost}, ` +
      `heap ${heap}: ${round.faults.join(', ')}`,
  );
  for (const problem of round.problems) print(`       ! ${problem}`);
}

const steady = samples.filter(({ atMs }) => atMs >= WARM_UP_SHARE * elapsedMs());
const slope = Math.round(slopePerMinute(steady));
if (minutes >= MIN_MINUTES && slope > MAX_SLOPE_BYTES)
  problems.push(`The heap grows by ${slope} bytes a minute.`);
await testbed[Symbol.asyncDispose]();

print('');
print(`${passed} of ${rounds} rounds passed in ${Math.round(elapsedMs() / 1_000)} s, seed ${seed}.`);
print(
  `${figures.published} messages published, ${figures.delivered} delivered to handlers, ` +
    `${figures.reported_lost} reported lost.`,
);
print(DAMAGE.map((name) => `${name.replaceAll('_', ' ')}: ${figures[name]}`).join(', '));
print(`Heap growth: ${(slope / 1024).toFixed(1)} KB a minute over ${steady.length} rounds.`);
print(`Faults: ${JSON.stringify(faults)}`);
for (const problem of problems) print(`! ${problem}`);
const summary = {
  tests: rounds,
  passed,
  ...figures,
  seed,
  minutes,
  heap_slope_bytes_per_minute: slope,
  heap_first_bytes: steady[0]?.bytes,
  heap_last_bytes: steady.at(-1)?.bytes,
  faults,
  problems,
};
const code = problems.length === 0 ? 0 : 1;
process.stdout.write(json ? `${JSON.stringify(summary)}\n` : '', () => process.exit(code));

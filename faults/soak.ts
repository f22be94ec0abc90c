// npm run soak: all faults mixed at random, round after round, over publishers and subscribers that live through all of them.

import { addFigures, noFigures } from '@tickbus/fault-kit/check';
import { type HeapSample, heapAfterGc, slopePerMinute } from '@tickbus/fault-kit/heap';
import { Random } from '@tickbus/test-kit/random';
import { parseSoakOptions } from './fault-options.ts';
import { HARM, SoakRun } from './soak/soak-run.ts';
import { Testbed } from './testbed.ts';

/** Growth that is told as a leak, once there are minutes enough to see one. */
const MAX_SLOPE_BYTES = 512 * 1024;
const LEAST_MINUTES = 5;
/** What caches and compiled code take at first is no leak. */
const WARM_UP = 0.25;

const { minutes, seed, json } = parseSoakOptions(process.argv.slice(2));
/** stdout is kept for the one line of JSON. */
const say = (text: string) => (json ? process.stderr : process.stdout).write(`${text}\n`);
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

say(`Soaking for ${minutes} minutes, seed ${seed}`);
const random = new Random(seed);
const testbed = await Testbed.open({
  random,
  quick: false,
  onWaiting: () => {},
  server: { keepsData: true },
});
const cast = await SoakRun.create(testbed);
const figures = noFigures();
const faults: Record<string, number> = {};
const samples: HeapSample[] = [];
const problems: string[] = [];
process.on('unhandledRejection', (reason) => problems.push(`An unhandled rejection: ${reason}`));
let [rounds, passed] = [0, 0];
const startedAt = performance.now();
const elapsedMs = () => performance.now() - startedAt;

while (elapsedMs() < minutes * 60_000) {
  rounds++;
  const round = await cast.runRound(random.fork(`round ${rounds}`));
  addFigures(figures, round.figures);
  for (const name of round.faults) faults[name] = (faults[name] ?? 0) + 1;
  problems.push(
    ...round.problems.map((problem) => `Round ${rounds} (${round.faults.join(', ')}): ${problem}`),
  );
  if (round.problems.length === 0) passed++;
  const bytes = heapAfterGc();
  samples.push({ atMs: elapsedMs(), bytes });
  const { published, delivered, reported_lost } = round.figures;
  say(
    `${round.problems.length === 0 ? 'ok  ' : 'FAIL'} round ${rounds} at ${Math.round(elapsedMs() / 1_000)} s: published ${published}, ` +
      `delivered ${delivered}, told lost ${reported_lost}, heap ${(bytes / 2 ** 20).toFixed(1)} MB: ${round.faults.join(', ')}`,
  );
  for (const problem of round.problems) say(`       ! ${problem}`);
}

const steady = samples.filter(({ atMs }) => atMs >= WARM_UP * elapsedMs());
const slope = Math.round(slopePerMinute(steady));
if (minutes >= LEAST_MINUTES && slope > MAX_SLOPE_BYTES)
  problems.push(`The heap grows by ${slope} bytes a minute.`);
await testbed[Symbol.asyncDispose]();

say('');
say(`${passed} of ${rounds} rounds passed in ${Math.round(elapsedMs() / 1_000)} s, seed ${seed}.`);
say(
  `${figures.published} messages published, ${figures.delivered} delivered to handlers, ${figures.reported_lost} lost and told.`,
);
say(HARM.map((name) => `${name.replaceAll('_', ' ')}: ${figures[name]}`).join(', '));
say(
  `Heap slope: ${(slope / 1024).toFixed(1)} KB a minute over ${steady.length} rounds. Faults: ${JSON.stringify(faults)}`,
);
for (const problem of problems) say(`! ${problem}`);
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

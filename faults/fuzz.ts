// `npm run fuzz -- --minutes N [--seed S]`: feeds mutated messages, frames, captures, venue frames and addresses to the
// code that reads them.

import { parseFuzzOptions } from './fault-options.ts';
import { supervise } from './fuzz/supervise.ts';
import { TARGETS } from './fuzz/targets/fuzz-targets.ts';

const { minutes, seed, target: only, once } = parseFuzzOptions(process.argv.slice(2));
const names = TARGETS.map(({ name }) => name);
const unknown = only.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`No target "${unknown.join('", "')}". The targets are ${names.join(', ')}.\n`);
  process.exit(1);
}
process.once('SIGINT', () => process.exit(130));
process.stdout.write(`Fuzzing for ${minutes} minutes, seed ${seed}\n`);
const { inputs, failures } = await supervise({
  seed,
  ms: minutes * 60_000,
  once,
  only,
  onFailure: ({ target, seed: failed, problem, input }) =>
    process.stdout.write(
      `FAIL ${target}: npm run fuzz -- --target ${target} --seed ${failed} --once\n  ${problem}\n  input: ${input}\n`,
    ),
});
for (const [name, count] of Object.entries(inputs))
  process.stdout.write(`${name.padEnd(12)} ${count} inputs\n`);
process.stdout.write(`${failures.length} failures, seed ${seed}\n`);
process.exit(failures.length === 0 ? 0 : 1);

// Random programs of publishes and faults. `PROGRAM_MS=8000 PROGRAM_SEED=1 npx vitest run random-program` runs all of
// them for 8 s each. The seed decides the faults; how they meet the messages also depends on the machine.

import { expect, it } from 'vitest';
import type { Fault, ProgramOptions } from './program-world.fixture.ts';
import { runProgram } from './random-program.fixture.ts';

const SHORT_MS = 600;
const MS = Number(process.env.PROGRAM_MS ?? SHORT_MS);
const SEED = Number(process.env.PROGRAM_SEED ?? 7);

const LINK: readonly Fault[] = ['cut', 'byteCut', 'drop', 'hold', 'late', 'release', 'pause'];
const SERVER: readonly Fault[] = ['cut', 'byteCut', 'late', 'kill', 'oldMemory', 'flush'];
const REFUSAL: readonly Fault[] = ['oom', 'acl', 'foreign', 'cut', 'drop'];
const COUNT: readonly Fault[] = ['recount', 'cut', 'byteCut', 'late', 'hold'];

interface Program extends Omit<ProgramOptions, 'seed' | 'ms'> {
  /** Whether it also runs without a setting. */
  readonly isShort?: boolean;
}

const PROGRAMS: Readonly<Record<string, Program>> = {
  'events on 16 partitions': { kind: 'event', counts: [16], faults: LINK, plainClient: true, isShort: true },
  'events on 64 partitions': { kind: 'event', counts: [64], faults: LINK },
  'last values on 4 partitions': { kind: 'state', counts: [4], faults: LINK, plainClient: true },
  'events on a server that restarts': { kind: 'event', counts: [16], faults: SERVER },
  'last values on a server that restarts': { kind: 'state', counts: [16], faults: SERVER, isShort: true },
  'events on a server that refuses': { kind: 'event', counts: [16], faults: REFUSAL, plainClient: true },
  'last values on a server that refuses': { kind: 'state', counts: [4], faults: REFUSAL },
  'events on a changing number of partitions': { kind: 'event', counts: [4, 1, 16, 64], faults: COUNT },
  'last values on a changing number of partitions': { kind: 'state', counts: [4, 1, 16], faults: COUNT },
};
const chosen = Object.entries(PROGRAMS).filter(([, { isShort }]) => MS !== SHORT_MS || isShort);

it.each(chosen)(
  `%s, seed ${SEED}`,
  async (name, options) => {
    const { problems, figures } = await runProgram({ ...options, seed: SEED, ms: MS });
    if (MS !== SHORT_MS) process.stdout.write(`${name}: ${JSON.stringify(figures)}\n`);
    expect(problems).toEqual([]);
  },
  60_000,
);

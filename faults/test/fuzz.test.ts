// The fuzz run: it passes on the code, finds planted faults, and ends a process that hangs.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type FuzzFailure, runFuzz } from '../fuzz/fuzz-run.ts';
import { supervise } from '../fuzz/supervise.ts';
import { defineTarget, timed } from '../fuzz/target.ts';
import { TARGETS } from '../fuzz/targets/fuzz-targets.ts';

const SEED = 7;

it.each(TARGETS)('$name: one check of the seed finds nothing', { timeout: 300_000 }, async (target) => {
  const { inputs, failures } = await runFuzz({ targets: [target], seed: SEED, ms: 1_000, once: true });
  expect(failures).toEqual([]);
  expect(inputs[target.name]).toBeGreaterThan(0);
});

it('shrinks the input of a planted fault, and its seed repeats it', async () => {
  const planted = defineTarget({
    name: 'planted',
    inputs: fc.string(),
    check(text) {
      if (text.length >= 3) throw new RangeError('Too long.');
    },
  });
  const [failure] = (await runFuzz({ targets: [planted], seed: SEED, ms: 10_000 })).failures;
  expect(failure).toMatchObject({ target: 'planted', problem: expect.stringContaining('Too long.') });
  expect(JSON.parse(failure?.input ?? '')).toHaveLength(3);
  const again = await runFuzz({ targets: [planted], seed: failure?.seed ?? 0, ms: 10_000, once: true });
  expect(again.failures).toMatchObject([{ seed: failure?.seed, input: failure?.input }]);
});

it('reports an unhandled rejection', async () => {
  const planted = defineTarget({
    name: 'planted',
    inputs: fc.constant(1),
    async check() {
      void Promise.reject(new Error('Nobody handles this.'));
      await new Promise((resolve) => setImmediate(resolve));
    },
    runs: 1,
  });
  // vitest fails a test with an unhandled rejection of its own.
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  const { failures } = await runFuzz({ targets: [planted], seed: SEED, ms: 10_000, once: true });
  for (const listener of others) process.on('unhandledRejection', listener);
  expect(failures.map(({ problem }) => problem)).toEqual([expect.stringContaining('Nobody handles this.')]);
});

it('a call is slow only if every attempt is', () => {
  let calls = 0;
  const burn = (ms: number) => {
    calls++;
    const { user, system } = process.cpuUsage();
    for (let used = 0; used < ms * 1_000; ) {
      const now = process.cpuUsage();
      used = now.user + now.system - user - system;
    }
    return calls;
  };
  expect(timed('once', () => burn(calls === 0 ? 150 : 0))).toBe(2);
  expect(() => timed('always', () => burn(150))).toThrow(/^always takes \d+ ms; the limit is 100 ms\.$/);
});

it.each([
  ['hangs', 'for (;;);', /takes more than 1000 ms/],
  ['crashes', 'process.exit(3);', /ended early with code 3/],
])('ends a process that %s, and reports the check', async (_, code, problem) => {
  const folder = await mkdtemp(join(tmpdir(), 'tickbus-fuzz-'));
  const program = join(folder, 'program.mjs');
  const input = JSON.stringify({ type: 'input', target: 'envelope', seed: 5 });
  await writeFile(program, `process.send(${input}, () => { ${code} });`);
  const reported: FuzzFailure[] = [];
  const { failures } = await supervise({
    seed: SEED,
    ms: 1_000,
    once: false,
    only: [],
    hangMs: 1_000,
    program,
    onFailure: (failure) => reported.push(failure),
  });
  await rm(folder, { recursive: true });
  expect(failures).toEqual([expect.objectContaining({ target: 'envelope', seed: 5 })]);
  expect(failures[0]?.problem).toMatch(problem);
  expect(reported).toEqual(failures);
});

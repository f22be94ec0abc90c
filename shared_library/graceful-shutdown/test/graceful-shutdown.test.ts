// Signals and exit codes of a program that shuts down gracefully, tested as a process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { expect, it } from 'vitest';

const PROGRAM = await bundledProgram(new URL('./sample-program.ts', import.meta.url));

function start(...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, ...args]);
  const exit = once(child, 'close');
  const stderr = text(child.stderr);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    exit,
    stderr,
    prints: async (...expected: string[]) => {
      for (const line of expected) expect((await lines.next()).value).toBe(line);
    },
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    finishStop: () => child.stdin.end(),
  };
}

it.each(['SIGTERM', 'SIGINT'] as const)(
  'stops once on %s and exits with 0, also if SIGTERM is repeated',
  async (signal) => {
    const program = start();
    await program.prints('ready');
    program.signal(signal);
    await program.prints(signal, `stops: ${signal}`);
    for (let times = 2; times > 0; times--) {
      program.signal('SIGTERM');
      await program.prints('SIGTERM');
    }
    program.finishStop();
    await program.prints('stopped');
    expect(await program.exit).toEqual([0, null]);
    expect(await program.stderr).toBe('');
  },
);

it.each(['SIGTERM', 'SIGINT'] as const)('exits with 1 at once on a SIGINT after %s', async (signal) => {
  const program = start();
  await program.prints('ready');
  program.signal(signal);
  await program.prints(signal, `stops: ${signal}`);
  program.signal('SIGINT');
  expect(await program.exit).toEqual([1, null]);
  expect(await program.stderr).toBe('second SIGINT, exiting\n');
});

it('stops and exits with 1 after a failure', async () => {
  const program = start('fails');
  await program.prints('ready', 'stops: mine');
  program.finishStop();
  await program.prints('stopped');
  expect(await program.exit).toEqual([1, null]);
});

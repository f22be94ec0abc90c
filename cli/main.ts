// The tickbus command as a process: environment, signals, streams and exit code. Everything else is in program.ts.

import { constants } from 'node:os';
import { Interrupted } from './exit.ts';

const ending = new AbortController();
/** How long output that nobody reads may hold up the end after a signal. */
const LAST_OUTPUT_MS = 500;

// First of all: loading the rest takes a moment in which Ctrl-C should end it just as well.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const code = 128 + constants.signals[signal];
    // A second signal does not wait for anything.
    if (ending.signal.aborted) process.exit(code);
    ending.abort(new Interrupted(code));
  });
}
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // Whoever read the output has gone, as in `tickbus sub | head`: nothing is left to do, and nothing to complain of.
  if (code === 'EPIPE') process.exit(0);
  process.stderr.write(`tickbus: The output cannot be written: ${message}.\n`);
  process.exit(1);
});
process.stderr.on('error', () => {});

const { run } = await import('./program.ts');
const code = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: ending.signal,
});
await written(process.stdout);
process.exit(code);

/** Output to a pipe is on its way until its callback. */
async function written(stream: NodeJS.WriteStream): Promise<void> {
  const done = new Promise<void>((resolve) => stream.write('', () => resolve()));
  const tooLong = new Promise<void>((resolve) => {
    const giveUp = () => setTimeout(resolve, LAST_OUTPUT_MS);
    if (ending.signal.aborted) giveUp();
    else ending.signal.addEventListener('abort', giveUp);
  });
  await Promise.race([done, tooLong]);
}

// Process entry of the tickbus command: environment, signals, streams and exit code. The rest is in program.ts.

import { constants } from 'node:os';
import { Interrupted } from './exit.ts';

const ending = new AbortController();
/** How long unread output may delay the exit after a signal. */
const LAST_OUTPUT_MS = 500;

// Registered before the imports: Ctrl-C must also work while they load.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const code = 128 + constants.signals[signal];
    // A second signal exits at once.
    if (ending.signal.aborted) process.exit(code);
    ending.abort(new Interrupted(code));
  });
}
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // The reader closed the pipe, as in `tickbus sub | head`: exit quietly.
  if (code === 'EPIPE') process.exit(0);
  process.stderr.write(`tickbus: Cannot write the output: ${message}. Check where stdout goes.\n`);
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

/** Output to a pipe is asynchronous: the callback confirms the write. */
async function written(stream: NodeJS.WriteStream): Promise<void> {
  const done = new Promise<void>((resolve) => stream.write('', () => resolve()));
  const tooLong = new Promise<void>((resolve) => {
    const giveUp = () => setTimeout(resolve, LAST_OUTPUT_MS);
    if (ending.signal.aborted) giveUp();
    else ending.signal.addEventListener('abort', giveUp);
  });
  await Promise.race([done, tooLong]);
}

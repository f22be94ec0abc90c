// Process entry of the command: environment, signals, streams and exit code.

import { constants } from 'node:os';
import { Interrupted } from './exit.ts';

const interruption = new AbortController();
/** Time limit to flush unread output after a signal. */
const FLUSH_TIMEOUT_MS = 500;

// Registered before the imports: Ctrl-C must also work while they load.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const code = 128 + constants.signals[signal];
    // A second signal exits at once.
    if (interruption.signal.aborted) process.exit(code);
    interruption.abort(new Interrupted(code));
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
  signal: interruption.signal,
});
await flushed(process.stdout);
process.exit(code);

/** Output to a pipe is asynchronous; the callback confirms the write. */
async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  const done = new Promise<void>((resolve) => stream.write('', () => resolve()));
  const timedOut = new Promise<void>((resolve) => {
    const giveUp = () => setTimeout(resolve, FLUSH_TIMEOUT_MS);
    if (interruption.signal.aborted) giveUp();
    else interruption.signal.addEventListener('abort', giveUp);
  });
  await Promise.race([done, timedOut]);
}

// Runs the fuzz process, and ends it if it hangs.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FuzzMessage, FuzzSettings } from './fuzz-process.ts';
import type { FuzzFailure, FuzzSummary } from './fuzz-run.ts';

export interface SuperviseOptions extends FuzzSettings {
  readonly onFailure: (failure: FuzzFailure) => void;
  /** Milliseconds without progress that count as a hang. Default 60,000; a normal input takes milliseconds. */
  readonly hangMs?: number;
  /** The file to run. Default: the fuzz process of this folder. */
  readonly program?: string;
}

const HANG_MS = 60_000;
const CHECK_MS = 500;
const PROGRAM = fileURLToPath(new URL('fuzz-process.ts', import.meta.url));

/** Resolves when the process has ended. Reports a hang or a crash as a failure of the check that was running. */
export function supervise(options: SuperviseOptions): Promise<FuzzSummary> {
  const { onFailure, hangMs = HANG_MS, program = PROGRAM, ...settings } = options;
  const child = fork(program, [JSON.stringify(settings satisfies FuzzSettings)]);
  const failures: FuzzFailure[] = [];
  let at = { target: 'none', seed: settings.seed };
  // The process itself may take long to start.
  let deadline = performance.now() + Math.max(hangMs, HANG_MS);
  let summary: FuzzSummary | undefined;
  const add = (failure: FuzzFailure) => {
    failures.push(failure);
    onFailure(failure);
  };
  child.on('message', (message: FuzzMessage) => {
    deadline = performance.now() + hangMs;
    if (message.type === 'input') at = message;
    else if (message.type === 'failure') add(message.failure);
    else summary = message.summary;
  });
  const timer = setInterval(() => {
    if (performance.now() >= deadline) child.kill('SIGKILL');
  }, CHECK_MS);
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      clearInterval(timer);
      const { target, seed } = at;
      const input = 'the last input of this check';
      if (signal === 'SIGKILL')
        add({ target, seed, problem: `One input takes more than ${hangMs} ms, or memory ran out.`, input });
      else if (summary === undefined)
        add({ target, seed, problem: `The process ended early with code ${code ?? signal}.`, input });
      resolve({ inputs: summary?.inputs ?? {}, failures });
    });
  });
}

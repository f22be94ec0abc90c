// Runs programs in Python with redis-py (Debian's python3-redis), as plain clients.

import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

const PYTHON = ['python3', '/usr/bin/python3'].find((command) => {
  try {
    execFileSync(command, ['-c', 'import redis'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/** True without such a Python, except in CI: tests that need it are skipped. */
export const LACKS_PYTHON = PYTHON === undefined && process.env.CI !== 'true';

/** @param env added to the environment of this process */
export function runPython(
  program: string,
  env: NodeJS.ProcessEnv = {},
): ChildProcessByStdio<null, Readable, null> {
  if (PYTHON === undefined)
    throw new Error('Python with redis-py is needed. Type: apt-get install python3-redis');
  const all = { ...process.env, ...env };
  return spawn(PYTHON, ['-c', program], { env: all, stdio: ['ignore', 'pipe', 'inherit'] });
}

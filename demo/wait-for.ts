// Waits until something holds.

import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

/** Resolves with the first value of `check` that is not undefined. @throws Error after `timeoutMs` */
export async function waitFor<T>(
  condition: string,
  timeoutMs: number,
  check: () => T | undefined,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = check();
    if (found !== undefined) return found;
    if (performance.now() > deadline)
      throw new Error(`Timed out after ${timeoutMs / 1000} s waiting for ${condition}.`);
    await sleep(POLL_MS);
  }
}

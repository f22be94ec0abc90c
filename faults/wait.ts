// Waiting for events, with a limit.

import { setTimeout as sleep } from 'node:timers/promises';

/** How long anything may take that has no bound of its own, before the scenario is given up. */
const PATIENCE_MS = 60_000;
const POLL_MS = 10;

/** @throws Error that says what did not happen */
export async function within<T>(what: string, promise: Promise<T>, ms = PATIENCE_MS): Promise<T> {
  const giveUp = new AbortController();
  const limit = sleep(ms, undefined, { signal: giveUp.signal }).then(() => {
    throw new Error(`${what}: it did not happen within ${ms} ms.`);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    giveUp.abort();
    limit.catch(() => {});
  }
}

/** Looks again and again; for what tells nobody when it changes. */
export async function eventually(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  ms = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`${what}: it did not happen within ${ms} ms.`);
    await sleep(POLL_MS);
  }
}

/** Lets time pass, which is what some faults are about. */
export function delay(ms: number): Promise<void> {
  return sleep(ms);
}

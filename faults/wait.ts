// Waits for events, with a time limit.

import { setTimeout as sleep } from 'node:timers/promises';

/** Default time limit. */
const TIMEOUT_MS = 60_000;
const POLL_MS = 10;

/** @throws Error with `what` after `ms` milliseconds */
export async function within<T>(what: string, promise: Promise<T>, ms = TIMEOUT_MS): Promise<T> {
  const cancellation = new AbortController();
  const limit = sleep(ms, undefined, { signal: cancellation.signal }).then(() => {
    throw new Error(`${what}: this did not happen within ${ms} ms.`);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    cancellation.abort();
    limit.catch(() => {});
  }
}

/** Polls a condition that has no event. @throws Error with `what` after `ms` milliseconds */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms = TIMEOUT_MS,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what}: this did not happen within ${ms} ms.`);
    await sleep(POLL_MS);
  }
}

export function delay(ms: number): Promise<void> {
  return sleep(ms);
}

// When to try again, decided by one process alone: each failure doubles the wait.

import { setTimeout } from 'node:timers/promises';
import type { FeedListener } from './feed.ts';

export interface BackoffOptions {
  /** Milliseconds before the second attempt; doubles with every failure up to `maxRetryMs`. Default 1,000. */
  readonly retryMs?: number;
  /** The longest wait between two attempts, milliseconds. Default 60,000. */
  readonly maxRetryMs?: number;
}

/** Milliseconds to wait after so many failures; 0 before the first attempt, and after a session that was live. */
export function backoffMs(
  failures: number,
  { retryMs = 1_000, maxRetryMs = 60_000 }: BackoffOptions = {},
): number {
  return failures === 0 ? 0 : Math.min(retryMs * 2 ** (failures - 1), maxRetryMs);
}

/** Leave to connect after that wait; rejects when the feed is closed meanwhile. */
export function createBackoff(options?: BackoffOptions): FeedListener['mayConnect'] {
  return async ({ failures }, signal) => {
    await setTimeout(backoffMs(failures, options), undefined, { signal });
  };
}

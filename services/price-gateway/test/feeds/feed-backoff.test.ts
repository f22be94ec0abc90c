// Waiting longer after each failure, and no longer once the feed is closed.

import { expect, it } from 'vitest';
import { backoffMs, createBackoff } from '../../feeds/feed-backoff.ts';

it('does not wait at first, then doubles up to the longest wait', () => {
  const options = { retryMs: 20, maxRetryMs: 50 };
  expect([0, 1, 2, 3, 4, 2_000].map((failures) => backoffMs(failures, options))).toEqual([
    0, 20, 40, 50, 50, 50,
  ]);
  expect([1, 2, 100].map((failures) => backoffMs(failures))).toEqual([1_000, 2_000, 60_000]);
});

it('gives up waiting when the feed is closed', async () => {
  const closing = new AbortController();
  const leave = createBackoff({ retryMs: 1_000_000, maxRetryMs: 1_000_000 })(
    { failures: 1, after: undefined },
    closing.signal,
  );
  closing.abort();
  await expect(leave).rejects.toThrow('aborted');
});

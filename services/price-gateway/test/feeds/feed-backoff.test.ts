// The delay grows with each failure.

import { expect, it } from 'vitest';
import { backoffMs } from '../../feeds/feed-backoff.ts';

it('does not delay the first attempt, then doubles up to the maximum', () => {
  const options = { retryMs: 20, maxRetryMs: 50 };
  expect([0, 1, 2, 3, 4, 2_000].map((failures) => backoffMs(failures, options))).toEqual([
    0, 20, 40, 50, 50, 50,
  ]);
  expect([1, 2, 100].map((failures) => backoffMs(failures))).toEqual([1_000, 2_000, 60_000]);
});

// Exponential backoff within one process: each failure doubles the delay before the next attempt.

export interface BackoffOptions {
  /** Delay before the second attempt, milliseconds; doubles with every failure up to `maxRetryMs`. Default 1,000. */
  readonly retryMs?: number;
  /** Maximum delay between two attempts, milliseconds. Default 60,000. */
  readonly maxRetryMs?: number;
}

/** Delay in milliseconds after `failures` failures in a row; 0 if `failures` is 0. */
export function backoffMs(
  failures: number,
  { retryMs = 1_000, maxRetryMs = 60_000 }: BackoffOptions = {},
): number {
  return failures === 0 ? 0 : Math.min(retryMs * 2 ** (failures - 1), maxRetryMs);
}

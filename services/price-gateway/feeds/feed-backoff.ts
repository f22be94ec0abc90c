// The delay before the next attempt within one process: exponential backoff, or what the broker asks for.

import type { Attempt } from './feed.ts';

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

/**
 * Delay in milliseconds before an attempt: the backoff, or the broker's `retryAfterMs`, which is at least the delay
 * before the second attempt.
 */
export function retryDelayMs({ failures, after }: Attempt, options?: BackoffOptions): number {
  const asked = after?.retryAfterMs;
  return asked === undefined ? backoffMs(failures, options) : Math.max(asked, backoffMs(1, options));
}

/**
 * The delay in milliseconds that a `Retry-After` header asks for; undefined if there is none. Source: RFC 9110, section
 * 10.2.3: seconds, or a date.
 */
export function retryAfterMsOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

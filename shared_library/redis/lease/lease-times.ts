// The times of a lease: TTL, safety margin and retry interval.

import { TickbusError } from '../errors.ts';

export interface LeaseTimes {
  /**
   * Milliseconds after which an unrenewed lease expires. The holder renews it every third of this. All candidates must
   * use the same value. Default 3,000.
   */
  readonly ttlMs?: number | undefined;
  /**
   * Milliseconds before the end of the TTL at which the holder stops relying on the lease. Default a tenth of `ttlMs`.
   */
  readonly marginMs?: number | undefined;
  /** Milliseconds between two attempts of a candidate. Default a twelfth of `ttlMs`, but at least 50. */
  readonly retryMs?: number | undefined;
}

export interface CheckedTimes {
  readonly ttlMs: number;
  readonly marginMs: number;
  readonly retryMs: number;
  /** Milliseconds between two renewals. */
  readonly renewMs: number;
}

const DEFAULT_TTL_MS = 3_000;
const MIN_TTL_MS = 100;
const MIN_RETRY_MS = 50;
const RENEWALS_PER_TTL = 3;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function checkedTimes({ ttlMs = DEFAULT_TTL_MS, marginMs, retryMs }: LeaseTimes): CheckedTimes {
  if (!(Number.isFinite(ttlMs) && ttlMs >= MIN_TTL_MS))
    throw invalidOption('ttlMs', ttlMs, `Use a finite number of milliseconds, at least ${MIN_TTL_MS}.`);
  const margin = marginMs ?? ttlMs / 10;
  if (!(margin > 0 && margin < ttlMs / 2))
    throw invalidOption('marginMs', margin, 'Use a number of milliseconds above 0 and below half of ttlMs.');
  const retry = retryMs ?? Math.max(MIN_RETRY_MS, ttlMs / 12);
  if (!(Number.isFinite(retry) && retry > 0))
    throw invalidOption('retryMs', retry, 'Use a number of milliseconds above 0.');
  const ttl = Math.round(ttlMs);
  return { ttlMs: ttl, marginMs: margin, retryMs: retry, renewMs: ttl / RENEWALS_PER_TTL };
}

function invalidOption(field: string, value: number, advice: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `${field} is ${value}. ${advice}`, { field });
}

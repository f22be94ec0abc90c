// How long a lease lasts, and how often it is asked for.

import { TickbusError } from '../errors.ts';

export interface LeaseTimes {
  /** Milliseconds that the lease lasts without being renewed; it is renewed every third of it. The same for all candidates. Default 3,000. */
  readonly ttlMs?: number | undefined;
  /** Milliseconds before the end of the TTL at which the holder counts itself out. Default a tenth of `ttlMs`. */
  readonly marginMs?: number | undefined;
  /** Milliseconds between two tries of a candidate. Default a twelfth of `ttlMs`, but at least 50. */
  readonly retryMs?: number | undefined;
}

const DEFAULT_TTL_MS = 3_000;
const MIN_TTL_MS = 100;
const MIN_RETRY_MS = 50;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function checkedTimes({ ttlMs = DEFAULT_TTL_MS, marginMs, retryMs }: LeaseTimes) {
  if (!(Number.isFinite(ttlMs) && ttlMs >= MIN_TTL_MS))
    throw invalidOption('ttlMs', ttlMs, `Use a number of milliseconds from ${MIN_TTL_MS} on.`);
  const margin = marginMs ?? ttlMs / 10;
  if (!(margin > 0 && margin < ttlMs / 2))
    throw invalidOption('marginMs', margin, 'Use a number of milliseconds above 0 and below half of ttlMs.');
  const retry = retryMs ?? Math.max(MIN_RETRY_MS, ttlMs / 12);
  if (!(Number.isFinite(retry) && retry > 0))
    throw invalidOption('retryMs', retry, 'Use a number of milliseconds above 0.');
  return { ttlMs: Math.round(ttlMs), marginMs: margin, retryMs: retry };
}

function invalidOption(field: string, value: number, advice: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `${field} is ${value}. ${advice}`, { field });
}

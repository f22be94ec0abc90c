// The bounds of freshness: which of the requested, subscribed and default bounds apply to a key.

import type { Channel } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';

/** In milliseconds. */
export interface Bounds {
  /** The maximum age of a value. If `maxQuietMs` is larger: the maximum time since the value's feed was confirmed. */
  readonly maxAgeMs: number;
  /** How long a key may be without new values while its feed is confirmed. */
  readonly maxQuietMs: number;
}

/** The bounds of a call or a subscription. For an undefined bound, `effectiveBounds` uses the next source. */
export interface RequestedBounds {
  readonly maxAgeMs?: number | undefined;
  readonly maxQuietMs?: number | undefined;
}

/** The part of a subscription that freshness uses. */
export interface SubscribedKeys {
  /** Undefined: all keys of the channel. */
  readonly keys: ReadonlySet<string> | undefined;
  readonly bounds: RequestedBounds;
}

const DEFAULT_MAX_AGE_MS = 5_000;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless the value is a finite number above 0 */
export function checkedBound(field: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new TickbusError('TICKBUS_INVALID_OPTION', `${field} is ${value}. Use a number above 0.`, { field });
}

/**
 * Takes each bound from the first source that defines it: the call, the subscriptions (the smallest), and for
 * `maxQuietMs` the channel. Default: 5,000 for `maxAgeMs`; the value of `maxAgeMs` for `maxQuietMs`.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION` for an invalid bound
 */
export function effectiveBounds(
  channel: Channel,
  subscriptions: readonly SubscribedKeys[],
  requested: RequestedBounds,
): Bounds {
  const { maxAgeMs = smallest(subscriptions, 'maxAgeMs') ?? DEFAULT_MAX_AGE_MS, maxQuietMs } = requested;
  checkedBound('maxAgeMs', maxAgeMs);
  const quietMs = maxQuietMs ?? smallest(subscriptions, 'maxQuietMs') ?? channel.maxQuietMs ?? maxAgeMs;
  return { maxAgeMs, maxQuietMs: checkedBound('maxQuietMs', quietMs) };
}

function smallest(subscriptions: readonly SubscribedKeys[], bound: keyof Bounds): number | undefined {
  return subscriptions.reduce<number | undefined>((least, { bounds }) => {
    const value = bounds[bound];
    return value === undefined || (least !== undefined && least <= value) ? least : value;
  }, undefined);
}

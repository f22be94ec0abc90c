// The last values of a channel of the in-memory server.

import type { ChannelSpec } from '../../channel/channel.ts';
import { MAX_CHANNEL_KEYS } from '../../channel/limits.ts';
import { MAX_READ_WHOLE, type Outgoing } from '../port.ts';
import { tooManyKeysError } from '../too-many-keys.ts';

/**
 * Returns the last values of `keys`, or all if `keys` is undefined. Like the Redis transport, it ignores `keys` on a
 * channel with at most `MAX_READ_WHOLE` values.
 */
export function lastValues<Value>(
  last: ReadonlyMap<string, Value>,
  keys: ReadonlySet<string> | undefined,
): readonly Value[] {
  if (keys === undefined || last.size <= MAX_READ_WHOLE) return [...last.values()];
  return [...keys].flatMap((key) => last.get(key) ?? []);
}

/** Replaces or removes the last value of the message's key. */
export function storeLast<Value>(
  last: Map<string, Value>,
  { key, endsKey }: Pick<Outgoing, 'key' | 'endsKey'>,
  value: Value,
): void {
  if (key === undefined) return;
  if (endsKey) last.delete(key);
  else last.set(key, value);
}

/** @throws TickbusError `TICKBUS_LIMIT_EXCEEDED` if the batch would add a key beyond `MAX_CHANNEL_KEYS` */
export function checkKeyLimit(
  spec: ChannelSpec,
  last: ReadonlyMap<string, unknown>,
  batch: readonly Outgoing[],
): void {
  if (spec.kind !== 'state' || last.size + batch.length <= MAX_CHANNEL_KEYS) return;
  const added = new Set<string>();
  for (const { key, endsKey } of batch) {
    if (key === undefined || last.has(key)) continue;
    if (endsKey) added.delete(key);
    else added.add(key);
  }
  if (added.size > 0 && last.size + added.size > MAX_CHANNEL_KEYS) throw tooManyKeysError(spec);
}

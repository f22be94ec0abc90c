// The last values that a read of the in-memory server returns.

import { MAX_READ_WHOLE } from '../port.ts';

/** Returns the values of `keys`, or all of them while they are few, as Redis does. */
export function lastValues<Value>(
  last: ReadonlyMap<string, Value>,
  keys: ReadonlySet<string> | undefined,
): readonly Value[] {
  if (keys === undefined || last.size <= MAX_READ_WHOLE) return [...last.values()];
  return [...keys].flatMap((key) => last.get(key) ?? []);
}

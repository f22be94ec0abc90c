// A channel's demand: the keys that its subscribers request. Servers store one string for each subscriber and key.

import type { ChannelSpec } from '../channel/channel.ts';
import { MAX_DEMAND } from '../channel/limits.ts';
import { TickbusError } from '../errors.ts';

/** @param subscriberId without line breaks; a key may contain them */
export function demandEntry(subscriberId: string, key: string): string {
  return `${subscriberId}\n${key}`;
}

/** The number of subscribers of each key. */
export function countKeys(entries: Iterable<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const entry of entries) {
    const key = entry.slice(entry.indexOf('\n') + 1);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** The error of a declaration on a channel whose demand is full. */
export function demandFullError({ name }: Pick<ChannelSpec, 'name'>, declined: number): TickbusError {
  return new TickbusError(
    'TICKBUS_LIMIT_EXCEEDED',
    `${declined} keys of ${name} were not requested: all subscribers together request ${MAX_DEMAND} keys, the limit. ` +
      'The gateway may not serve them. Request fewer keys, or subscribe without `keys`; it is tried again every 5 s.',
  );
}

/** Maximum bytes of all entries together. To read more, Redis and the gateway would need too much time and memory. */
export const MAX_DEMAND_BYTES = 32 * 1024 * 1024;

/** The error of a reader that finds far more than any tickbus subscribers can declare. */
export function tooMuchDemandError({ name }: Pick<ChannelSpec, 'name'>): TickbusError {
  return new TickbusError(
    'TICKBUS_LIMIT_EXCEEDED',
    `The demand of ${name} has more than ${2 * MAX_DEMAND} entries, twice the limit, or more than ` +
      `${MAX_DEMAND_BYTES / 2 ** 20} MiB, so it was not read. ` +
      'Find the client that writes them without tickbus; they expire by themselves.',
  );
}

// The figures of several parts, as those of one channel.

import type { ChannelReader } from './channel-reader.ts';

/** Undefined if either is. */
export function earlier(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : Math.min(one, other);
}

export function sumOf(
  one: ChannelReader['counters'],
  other: ChannelReader['counters'],
): ChannelReader['counters'] {
  const sum = { ...one };
  for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += other[name];
  return sum;
}

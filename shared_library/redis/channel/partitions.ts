// Partitions: a channel that is split by key. Each partition is a channel of its own on the server.

import { TickbusError } from '../errors.ts';
import { crc16 } from '../runtime/crc16.ts';

/** Maximum number of partitions of a channel. An exclusive writer has a connection for each. */
export const MAX_PARTITIONS = 256;

/**
 * The name of a partition on the server: `PRICE_DATA#3/16` is partition 3 of 16, counted from 0. A partition of another
 * number of partitions is another channel, so the messages of two layouts never mix.
 */
export function partitionName(channel: string, index: number, partitions: number): string {
  return `${channel}#${index}/${partitions}`;
}

/** The channel of a partition name, its index and the number of partitions; undefined for any other name. */
export function parsePartitionName(
  name: string,
): { channel: string; index: number; partitions: number } | undefined {
  const [, channel, index, partitions] = /^(.+)#(\d+)\/(\d+)$/.exec(name) ?? [];
  if (channel === undefined) return undefined;
  return { channel, index: Number(index), partitions: Number(partitions) };
}

/** The partition of a key. Messages without a key are in partition 0. */
export function partitionOf(key: string | undefined, partitions: number): number {
  return key === undefined || partitions === 1 ? 0 : crc16(key) % partitions;
}

/** A publish for another number of partitions than the server has. Nothing was published. */
export class PartitionsChangedError extends TickbusError {
  /** The number that the server has recorded. */
  readonly partitions: number;

  constructor({ name, layout = 1 }: { readonly name: string; readonly layout?: number }, partitions: number) {
    const channel = parsePartitionName(name)?.channel ?? name;
    const has = `has ${partitions} ${partitions === 1 ? 'partition' : 'partitions'} on the server`;
    const text =
      `Nothing was published: the channel ${channel} ${has}, and the message was for ${layout}. ` +
      'Omit `partitions` in its definition, or use the same number in every program that publishes on it.';
    super('TICKBUS_INVALID_OPTION', text, { field: 'partitions' });
    this.partitions = partitions;
  }
}

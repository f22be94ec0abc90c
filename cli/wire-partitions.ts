// Channels with partitions, as they are on the wire: each partition is a channel of its own.

import { type RedisConnection, TickbusError } from 'tickbus';
import { parsePartitionName, partitionName } from 'tickbus/admin';
import type { WireChannel } from './channel-lookup.ts';

const UNUSABLE: ReadonlySet<string> = new Set(['TICKBUS_DENIED', 'TICKBUS_SERVER_ERROR']);

type Subscribing = RedisConnection['subscribing'];
type StoredState = Awaited<ReturnType<Subscribing['read']>>;

/** The partitions of a channel. A channel with one partition has none: its messages are on the channel itself. */
export function partitionsOf(channel: WireChannel, partitions: number | undefined): readonly WireChannel[] {
  // The head of a partition has the number, too.
  if (partitions === undefined || partitions === 1 || parsePartitionName(channel.name) !== undefined)
    return [];
  return Array.from({ length: partitions }, (_, index) => ({
    ...channel,
    name: partitionName(channel.name, index, partitions),
  }));
}

/**
 * As `partitionsOf`, for the number that is recorded now. None if the head cannot be used: the user may not read it, or
 * another program has written to it, which the subscriber of a bundled channel reports.
 */
export async function recordedPartitions(
  subscribing: Subscribing,
  channel: WireChannel,
): Promise<readonly WireChannel[]> {
  try {
    return partitionsOf(channel, (await subscribing.head(channel)).partitions);
  } catch (error) {
    if (error instanceof TickbusError && UNUSABLE.has(error.code)) return [];
    throw error;
  }
}

/** The stored messages of a channel, or of each of its partitions. */
export async function readStored(
  subscribing: Subscribing,
  channel: WireChannel,
): Promise<readonly StoredState[]> {
  const state = await subscribing.read(channel);
  const partitions = partitionsOf(channel, state.partitions);
  return partitions.length === 0
    ? [state]
    : Promise.all(partitions.map((partition) => subscribing.read(partition)));
}

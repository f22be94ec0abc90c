// The settings of a lease, and the operations that follow from them.

import type { ChannelSpec } from '../channel/channel.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { LeaseOperations, Transport } from '../transport/port.ts';
import type { LeaseTimes } from './lease-times.ts';
import { PartitionedLease, type PartitionLease } from './partitioned-lease.ts';

export interface LeaseSettings extends LeaseTimes {
  readonly name: string;
  /** Names the lease on the server. */
  readonly spec: ChannelSpec;
  /** Whether `spec` is a channel. If so, only the holder may publish on it. */
  readonly isChannel: boolean;
  /** See `Transport.lease`. */
  readonly replicas?: number | undefined;
  /** The number of partitions that the holder gives the channel; undefined: the number that it has. */
  readonly partitions?: number | undefined;
  /** The lease of the channel, if `spec` is one of its partitions. */
  readonly channelLease?: LeaseOperations | undefined;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A channel may have partitions; a job and a partition have none. */
export function leaseOperations(
  settings: LeaseSettings,
  createLease: (settings: LeaseSettings) => PartitionLease,
): LeaseOperations {
  const { spec, isChannel, partitions, replicas, channelLease, transport, clock } = settings;
  const own = transport.lease(spec, replicas, channelLease);
  if (channelLease !== undefined) return partitionOperations(own, spec, transport);
  if (!isChannel || spec.kind === 'plain') return own;
  return new PartitionedLease({
    channel: spec,
    partitions,
    transport,
    clock,
    own,
    createLease: (partition) =>
      createLease({
        ...settings,
        name: partition.name,
        spec: partition,
        isChannel: false,
        channelLease: own,
      }),
  });
}

/**
 * An interrupted change leaves some partitions with the new number. The number of the channel counts, so it is restored
 * before a partition is acquired.
 */
function partitionOperations(
  own: LeaseOperations,
  partition: ChannelSpec,
  transport: Transport,
): LeaseOperations {
  const { layout = 1 } = partition;
  return {
    connect: () => own.connect(),
    onConnected: (listener) => own.onConnected(listener),
    acquire: async (ttlMs) => {
      const { partitions = layout } = await transport.head(partition);
      if (partitions !== layout) await transport.setPartitions(partition, layout);
      return own.acquire(ttlMs);
    },
    renew: (...call) => own.renew(...call),
    release: (token) => own.release(token),
    close: () => own.close(),
  };
}

// RedisLease: a lease on Redis.

import { type Channel, jobSpec } from './channel/channel.ts';
import { checkChannel } from './channel/check-channel.ts';
import { MAX_PARTITIONS } from './channel/partitions.ts';
import { CONNECTION_NAMES, type ConnectionOptions, connectionFrom } from './connection.ts';
import { TickbusError } from './errors.ts';
import { LeaseBase } from './lease/lease-base.ts';
import type { LeaseSettings } from './lease/lease-settings.ts';
import type { LeaseTimes } from './lease/lease-times.ts';
import type { Clock } from './runtime/clock.ts';
import { containedLogger } from './runtime/logger.ts';
import { checkOptionNames, checkType, type OptionNames } from './runtime/option-checks.ts';
import { printable } from './runtime/printable.ts';
import { systemClock } from './runtime/system-clock.ts';
import type { Connection } from './transport/port.ts';

export type { LeaseEvents, LeaseGained, LeaseLost, LeaseState } from './lease/lease-events.ts';
export type { LeaseTimes } from './lease/lease-times.ts';

export type RedisLeaseOptions = ConnectionOptions &
  LeaseTimes & {
    /** The channel that only the holder may publish on, with `new RedisPublisher({ lease })`. Give this or `name`. */
    channel?: Channel | undefined;
    /** The name of a job that only the holder does, the same for all candidates. Give this or `channel`. */
    name?: string | undefined;
    /**
     * Number of replicas that must confirm each grant and each renewal. Without it, a master that was replaced in a
     * failover without noticing can renew the lease of a second holder. Default 1 behind Redis Sentinel, where the
     * lease is not granted while fewer replicas are connected; else 0. With the number of all replicas, no partition of
     * the network leads to two holders, but the lease needs all of them.
     */
    replicas?: number | undefined;
    /**
     * The number of partitions that the holder gives the channel, 1 to 256; subscribers follow. Default: the channel's,
     * else the number that it has on the server.
     */
    partitions?: number | undefined;
    /** A clock for tests. Default: the system clock. */
    clock?: Clock | undefined;
  };

const NAMES: OptionNames<RedisLeaseOptions> = {
  ...CONNECTION_NAMES,
  ttlMs: true,
  marginMs: true,
  retryMs: true,
  channel: true,
  name: true,
  replicas: true,
  partitions: true,
  clock: true,
};

/**
 * Leader election: one of many candidates holds the lease, and with it the right to do a job or to publish on a
 * channel. The server accepts the publishes of at most one holder. Two processes may still both do the job for a
 * moment: a paused process notices the expiry of its lease only when it runs again.
 *
 * @example
 * const lease = new RedisLease({ name: 'nightly-report' });
 * lease.on('gained', ({ signal }) => runReports(signal));
 * await lease.start();
 */
export class RedisLease extends LeaseBase {
  /** The namespace of its connection. */
  readonly namespace: string | undefined;
  readonly #connection: Connection;
  readonly #ownsConnection: boolean;

  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for invalid options or environment variables */
  constructor(options: RedisLeaseOptions) {
    checkOptionNames('RedisLease', options, NAMES);
    const { ttlMs, marginMs, retryMs, replicas, partitions = options.channel?.partitions } = options;
    checkType('replicas', replicas, 'number');
    if (replicas !== undefined && !(Number.isInteger(replicas) && replicas >= 0))
      throw invalidOption('replicas', `replicas is ${replicas}. Use a whole number, 0 or above.`);
    const subject = subjectOf(options);
    checkPartitions(options);
    const { connection, isOwned } = connectionFrom(options);
    super({
      ...subject,
      replicas,
      partitions,
      transport: connection.publishing,
      clock: options.clock ?? systemClock,
      logger: containedLogger(options.logger),
      ttlMs,
      marginMs,
      retryMs,
    });
    this.namespace = connection.namespace;
    this.#connection = connection;
    this.#ownsConnection = isOwned;
  }

  override async close(): Promise<void> {
    await super.close();
    if (this.#ownsConnection) await this.#connection.close();
  }
}

function subjectOf({ channel, name }: RedisLeaseOptions): Pick<LeaseSettings, 'name' | 'spec' | 'isChannel'> {
  if (channel !== undefined) checkChannel(channel);
  if (channel !== undefined && name === undefined)
    return { name: channel.name, spec: channel, isChannel: true };
  if (channel === undefined && name !== undefined) return { name, spec: jobSpec(name), isChannel: false };
  const text = 'A lease belongs to a channel or to a job. Give either `channel` or `name`.';
  throw invalidOption('channel', text);
}

function checkPartitions({ channel, partitions }: RedisLeaseOptions): void {
  if (partitions === undefined) return;
  const isValid = Number.isInteger(partitions) && partitions >= 1 && partitions <= MAX_PARTITIONS;
  if (!isValid) {
    const text = `partitions is ${printable(String(partitions))}. Use a whole number from 1 to ${MAX_PARTITIONS}.`;
    throw invalidOption('partitions', text);
  }
  if (partitions === 1 || (channel?.keyed && channel.kind !== 'plain')) return;
  const text = `partitions is ${partitions}, and only a channel with a \`key\` can have several. Omit it.`;
  throw invalidOption('partitions', text);
}

function invalidOption(field: string, text: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', text, { field });
}

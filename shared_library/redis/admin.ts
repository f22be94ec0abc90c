// RedisAdmin: read-only inspection of a server, for operators' tools.

import type { Channel } from './channel/channel.ts';
import { ADDRESS_NAMES, type RedisConnectionOptions, redisSettings } from './connection.ts';
import { CHANNELS } from './constants.ts';
import { createDefaultLogger } from './runtime/logger.ts';
import { checkOptionNames } from './runtime/option-checks.ts';
import {
  type ChannelStats,
  type ClockReport,
  RedisInspector,
  type ServerReport,
} from './transport/redis/admin/inspector.ts';
import type { CommandStates, UserPermissions } from './transport/redis/admin/permissions.ts';

export { conflictText, type DefinitionConflict, definitionConflict } from './channel/definition.ts';
export { parsePartitionName, partitionName } from './channel/partitions.ts';
export { printable } from './runtime/printable.ts';
export { readStored, type StoredPart } from './subscribe/stored-parts.ts';
export type {
  ChannelStats,
  ClockReport,
  ClusterReport,
  MasterReport,
  ServerReport,
} from './transport/redis/admin/inspector.ts';
export type {
  CommandStates,
  Purpose,
  UsedCommand,
  UserPermissions,
} from './transport/redis/admin/permissions.ts';
export type { OutputBufferLimit } from './transport/redis/admin/server-report.ts';
export { otherDatabaseAdvice } from './transport/redis/database-guard.ts';
export { definitionAdvice } from './transport/redis/keys.ts';
export type { SentinelReport } from './transport/redis/sentinel/sentinel-locator.ts';

const DEFAULT_SAMPLES = 5;

/**
 * Inspects a Redis server and its channels. Never changes anything there. Names of channels are without the namespace.
 *
 * @example
 * await using admin = new RedisAdmin({ url: 'redis://127.0.0.1:6379' });
 * await admin.connect();
 * const { version, pubsubBuffer } = await admin.inspect();
 */
export class RedisAdmin implements AsyncDisposable {
  readonly #inspector: RedisInspector;

  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for invalid options or environment variables */
  constructor(options: RedisConnectionOptions = {}) {
    checkOptionNames('RedisAdmin', options, ADDRESS_NAMES);
    this.#inspector = new RedisInspector(redisSettings(options), options.logger ?? createDefaultLogger());
  }

  /**
   * @throws TickbusError such as `TICKBUS_CONNECT_FAILED`, `TICKBUS_AUTH_FAILED` or `TICKBUS_TLS_FAILED`, without
   *   retrying, with advice
   */
  connect(): Promise<void> {
    return this.#inspector.connect();
  }

  /** Settings and state of the server. A field is undefined if the user lacks the permission to read it. */
  inspect(): Promise<ServerReport> {
    return this.#inspector.inspect();
  }

  /**
   * The user's permissions on each channel (default: all bundled ones), read from the ACL without running the commands.
   */
  permissions(channels: readonly Channel[] = Object.values(CHANNELS)): Promise<UserPermissions> {
    return this.#inspector.permissions(channels);
  }

  /** Whether this user can run the commands that managed servers rename or deny, found by harmless uses of them. */
  commands(): Promise<CommandStates> {
    return this.#inspector.commands();
  }

  /** Clock offset and round-trip time of the server. @param samples number of requests; default 5 */
  clock(samples: number = DEFAULT_SAMPLES): Promise<ClockReport> {
    return this.#inspector.clock(samples);
  }

  /**
   * Names of all channels with subscribers, also of other programs, without the frames channels of tickbus. With a
   * namespace: only its channels, without the prefix. A channel with partitions is listed once, by its own name.
   */
  activeChannels(): Promise<string[]> {
    return this.#inspector.activeChannels();
  }

  /**
   * Channels that are also used from another database of the server, with its number. Pub/sub ignores database numbers,
   * so tickbus refuses to use such a channel. A channel counts as used if the present server process has numbered a
   * message of it, or granted its lease.
   *
   * @returns undefined if the user may not use scripts, INFO or SELECT
   */
  otherDatabases(names: readonly string[]): Promise<ReadonlyMap<string, number> | undefined> {
    return this.#inspector.otherDatabases(names);
  }

  /**
   * The statistics of each channel, in the order of the names. Those of a channel with partitions are of all partitions
   * together; `PRICE_DATA#3/16` names one of them.
   */
  channels(names: readonly string[]): Promise<ChannelStats[]> {
    return this.#inspector.channels(names);
  }

  close(): Promise<void> {
    return this.#inspector.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

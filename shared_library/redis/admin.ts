// RedisAdmin: what an operator's tool asks of the server.

import type { Channel } from './channel/channel.ts';
import { type RedisConnectionOptions, redisSettings } from './connection.ts';
import { CHANNELS } from './constants.ts';
import { createDefaultLogger } from './runtime/logger.ts';
import {
  type ChannelStats,
  type ClockReport,
  RedisInspector,
  type ServerReport,
} from './transport/redis/admin/inspector.ts';
import type { UserPermissions } from './transport/redis/admin/permissions.ts';

export { printable } from './runtime/printable.ts';
export type { ChannelStats, ClockReport, ServerReport } from './transport/redis/admin/inspector.ts';
export type { Purpose, UsedCommand, UserPermissions } from './transport/redis/admin/permissions.ts';
export type { OutputBufferLimit } from './transport/redis/admin/server-report.ts';

const DEFAULT_SAMPLES = 5;

/**
 * Questions to the server of the channels; nothing it does changes anything there.
 *
 * @example
 * await using admin = new RedisAdmin({ url: 'redis://127.0.0.1:6379' });
 * await admin.connect();
 * const { version, pubsubBuffer } = await admin.inspect();
 */
export class RedisAdmin implements AsyncDisposable {
  readonly #inspector: RedisInspector;

  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for options, or an environment, that cannot be used */
  constructor(options: RedisConnectionOptions = {}) {
    this.#inspector = new RedisInspector(redisSettings(options), options.logger ?? createDefaultLogger());
  }

  /** @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`, at once, saying what to try */
  connect(): Promise<void> {
    return this.#inspector.connect();
  }

  /** How the server is set, and how it is. What the user may not ask is undefined. */
  inspect(): Promise<ServerReport> {
    return this.#inspector.inspect();
  }

  /** What the user may do on each channel (default: all bundled ones). Nothing is tried out. */
  permissions(channels: readonly Channel[] = Object.values(CHANNELS)): Promise<UserPermissions> {
    return this.#inspector.permissions(channels);
  }

  /** The server's clock against ours, and its answering time. @param samples how often it is asked; default 5 */
  clock(samples: number = DEFAULT_SAMPLES): Promise<ClockReport> {
    return this.#inspector.clock(samples);
  }

  /** Names of all channels that somebody is subscribed to, tickbus' own or not. */
  activeChannels(): Promise<string[]> {
    return this.#inspector.activeChannels();
  }

  /** What the server has of each channel, in the order of the names. */
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

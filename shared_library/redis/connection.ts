// RedisConnection: the links of a service to Redis, shared by its publishers and subscribers.

import { hostname } from 'node:os';
import { CONFIG } from './constants.ts';
import { TickbusError } from './errors.ts';
import type { Logger } from './runtime/logger.ts';
import { containedLogger } from './runtime/logger.ts';
import type { Connection } from './transport/port.ts';
import {
  parseDb,
  parseHost,
  parsePort,
  parseRedisUrl,
  type RedisAddress,
} from './transport/redis/address.ts';
import type { LinkSettings } from './transport/redis/link-settings.ts';
import { RedisLinks } from './transport/redis/redis-links.ts';

/**
 * The address of Redis and the behaviour of its links. Missing values come from CONFIG, and so from the environment.
 */
export interface RedisConnectionOptions {
  /**
   * `redis[s]://[[user]:password@]host[:port][/db]`. Not allowed with `host` or `port`. `db` overrides its database.
   */
  url?: string | undefined;
  /** Default: CONFIG.HOST. */
  host?: string | undefined;
  /** Default: CONFIG.PORT. */
  port?: number | undefined;
  /**
   * Default: CONFIG.DB if host and port are those of CONFIG, else 0. Concerns stored values only: pub/sub
   * ignores databases.
   */
  db?: number | undefined;
  /** Whether a dropped link reconnects. Default true. */
  reconnect?: boolean | undefined;
  /** Milliseconds after which the first connection times out. Default 5,000. */
  connectTimeoutMs?: number | undefined;
  /** Receives log lines; a pino logger works as it is. Default: JSON lines on stderr, warnings and errors only. */
  logger?: Logger | undefined;
}

/** Links to Redis. A link connects on first use, as in `publisher.connect()` or `subscriber.startListening()`. */
export class RedisConnection extends RedisLinks implements AsyncDisposable {
  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for invalid options or environment variables */
  constructor(options: RedisConnectionOptions = {}) {
    super(redisSettings(options), containedLogger(options.logger));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Either a connection to share, or the options of a new connection that the publisher, subscriber or lease opens and
 * closes itself.
 */
export type ConnectionOptions =
  | (RedisConnectionOptions & { connection?: undefined })
  | { connection: Connection; logger?: Logger | undefined };

/** `isOwned` is false for a shared connection, which only its creator closes. */
export function connectionFrom(options: ConnectionOptions): { connection: Connection; isOwned: boolean } {
  if (options.connection !== undefined) return { connection: options.connection, isOwned: false };
  return { connection: new RedisConnection(options), isOwned: true };
}

/** The default sender: host name and process id. Containers often share a process id but not a host name. */
export function defaultSender(): string {
  return `${hostname()}-${process.pid}`;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function redisSettings(options: RedisConnectionOptions): LinkSettings {
  const { connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, reconnect = true } = options;
  if (!(Number.isFinite(connectTimeoutMs) && connectTimeoutMs > 0)) {
    throw invalidOption('connectTimeoutMs', `is ${connectTimeoutMs}. Use a number of milliseconds above 0.`);
  }
  return { ...addressFrom(options), reconnect, connectTimeoutMs, name: `tickbus:${clientName()}` };
}

function addressFrom({ url, host, port, db }: RedisConnectionOptions): RedisAddress {
  if (url !== undefined) {
    if (host !== undefined || port !== undefined)
      throw invalidOption('url', 'is given together with host or port. Give one or the other.');
    const address = parseRedisUrl(url, 'url');
    return db === undefined ? address : { ...address, db: parseDb(db, 'db') };
  }
  const target = {
    host: host === undefined ? CONFIG.HOST : parseHost(host, 'host'),
    port: port === undefined ? CONFIG.PORT : parsePort(port, 'port'),
    ...(db === undefined ? {} : { db: parseDb(db, 'db') }),
  };
  // The environment's credentials are never sent to another server.
  const isConfigured = target.host === CONFIG.HOST && target.port === CONFIG.PORT;
  return isConfigured ? { ...CONFIG.ADDRESS, ...target } : { db: 0, tls: false, ...target };
}

/** CLIENT SETNAME accepts printable ASCII without spaces. */
function clientName(): string {
  return defaultSender().replace(/[^!-~]/g, '-');
}

function invalidOption(field: string, problem: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `${field} ${problem}`, { field });
}

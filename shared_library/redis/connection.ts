// RedisConnection: one service's links to Redis, to be shared by its publishers and subscribers.

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

/** Where Redis is, and how its links behave. What is left out comes from CONFIG, the environment's values. */
export interface RedisConnectionOptions {
  /** `redis[s]://[[user]:password@]host[:port][/db]`. Not together with host, port and db. */
  url?: string | undefined;
  /** Default: CONFIG.HOST. */
  host?: string | undefined;
  /** Default: CONFIG.PORT. */
  port?: number | undefined;
  /** Default: CONFIG.DB where host and port are CONFIG's, else 0. Pub/sub itself knows no databases; the kept values do. */
  db?: number | undefined;
  /** Re-establish an established link that drops. Default true. */
  reconnect?: boolean | undefined;
  /** Milliseconds until the first connection is given up. Default 5,000. */
  connectTimeoutMs?: number | undefined;
  /** Where log lines go; pino fits as it is. Default: JSON lines on stderr, warnings and errors only. */
  logger?: Logger | undefined;
}

/** Links to Redis. Nothing connects before it is used, or `connect()` is called on what uses it. */
export class RedisConnection extends RedisLinks implements AsyncDisposable {
  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for options, or an environment, that cannot be used */
  constructor(options: RedisConnectionOptions = {}) {
    super(redisSettings(options), containedLogger(options.logger));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What a facade is given: links to share, or where to make links of its own, which it then closes itself. */
export type ConnectionOptions =
  | (RedisConnectionOptions & { connection?: undefined })
  | { connection: Connection; logger?: Logger | undefined };

/** Not closed by whoever shares it. */
export function connectionFrom(options: ConnectionOptions): { connection: Connection; isOwned: boolean } {
  if (options.connection !== undefined) return { connection: options.connection, isOwned: false };
  return { connection: new RedisConnection(options), isOwned: true };
}

/** How a service is called unless it says so itself: its host and process, which in a container tells them apart. */
export function defaultSender(): string {
  return `${hostname()}-${process.pid}`;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;

/** Everything a link needs to know. @throws TickbusError `TICKBUS_INVALID_OPTION` */
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
  const wanted = {
    host: host === undefined ? CONFIG.HOST : parseHost(host, 'host'),
    port: port === undefined ? CONFIG.PORT : parsePort(port, 'port'),
    ...(db === undefined ? {} : { db: parseDb(db, 'db') }),
  };
  // The environment's credentials go to the environment's server and to no other.
  const isConfigured = wanted.host === CONFIG.HOST && wanted.port === CONFIG.PORT;
  return isConfigured ? { ...CONFIG.ADDRESS, ...wanted } : { db: 0, tls: false, ...wanted };
}

/** CLIENT SETNAME takes printable ASCII without blanks. */
function clientName(): string {
  return defaultSender().replace(/[^!-~]/g, '-');
}

function invalidOption(field: string, what: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `${field} ${what}`, { field });
}

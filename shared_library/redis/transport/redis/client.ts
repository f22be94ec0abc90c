// Creates all Redis clients. docs/decisions/0015-redis-client.md has the reason for each option.

import { createClient, defineScript, RESP_TYPES } from 'redis';
import { isSocketPath, type RedisAddress } from './address.ts';
import { tlsOptions } from './certificates.ts';
import { COMPLAIN } from './complaint-script.ts';
import { FIND_DATABASES } from './database-script.ts';
import { DECLARE_DEMAND, READ_DEMAND, WITHDRAW_DEMAND } from './demand-scripts.ts';
import { READ_HISTORY } from './history-script.ts';
import { ACTIVATE_LEASE, RELEASE_LEASE, RENEW_LEASE, RESERVE_LEASE } from './lease/lease-scripts.ts';
import { SET_PARTITIONS } from './partitions-script.ts';
import { READ_CHANNEL } from './read-script.ts';
import { ADOPT } from './writers/adopt-script.ts';
import { publishScript } from './writers/shared-writer.ts';

export interface ClientSettings extends RedisAddress {
  readonly connectTimeoutMs: number;
  /** The name of the connection in `CLIENT LIST`. */
  readonly name: string;
}

export type RedisClient = ReturnType<typeof createRedisClient>;

/**
 * Bytes that the socket buffers before it applies backpressure: enough for several of the largest calls. With the
 * default, a large call takes two or three turns of the event loop, which costs a sixth of the publisher's CPU
 * (measured). Node's socket types omit this option.
 */
const WRITE_BUFFER: object = { writableHighWaterMark: 1024 * 1024 };

/**
 * A client that never connects. Its duplicates share its class, which takes 100 ms to build. A client created with
 * other options would need another class.
 */
let template: ReturnType<typeof newTemplate> | undefined;

/**
 * A client for one connection. RedisLink monitors it, and replaces it when it drops.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION` if a certificate file cannot be read
 */
export function createRedisClient(settings: ClientSettings) {
  const { db, username, password, connectTimeoutMs, name } = settings;
  template ??= newTemplate();
  return template.duplicate({
    socket: {
      ...endpoint(settings),
      connectTimeout: connectTimeoutMs,
      ...WRITE_BUFFER,
      reconnectStrategy: false,
    },
    database: db,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    name,
  });
}

function endpoint({ host, port, tls, certificates }: ClientSettings) {
  if (isSocketPath(host)) return { path: host };
  return { host, port, ...(tls ? { tls: true as const, ...tlsOptions(host, certificates) } : {}) };
}

function newTemplate() {
  return createClient({
    RESP: 3,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    // CLIENT SETINFO needs a permission, and a managed server may lack this command.
    disableClientInfo: true,
    commandOptions: { timeout: 0 },
    scripts: {
      publishBatch: script(publishScript('PUBLISH')),
      publishShardedBatch: script(publishScript('SPUBLISH')),
      adopt: script(ADOPT),
      complain: script(COMPLAIN),
      readChannel: script(READ_CHANNEL),
      readHistory: script(READ_HISTORY),
      setPartitions: script(SET_PARTITIONS),
      reserveLease: script(RESERVE_LEASE),
      activateLease: script(ACTIVATE_LEASE),
      renewLease: script(RENEW_LEASE),
      releaseLease: script(RELEASE_LEASE),
      declareDemand: script(DECLARE_DEMAND),
      withdrawDemand: script(WITHDRAW_DEMAND),
      readDemand: script(READ_DEMAND),
      findDatabases: script(FIND_DATABASES),
    },
  });
}

/** Type mapping that returns replies as bytes, because messages have their own strict decoder. */
export const AS_BYTES = { [RESP_TYPES.BLOB_STRING]: Buffer } as const;

function script(source: string) {
  return defineScript({
    SCRIPT: source,
    parseCommand(parser, keys: readonly string[], args: readonly string[]) {
      parser.push(String(keys.length));
      parser.pushKeys([...keys]);
      parser.push(...args);
    },
    transformReply: (reply: unknown) => reply,
  });
}

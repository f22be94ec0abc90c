// Creates all Redis clients. docs/decisions/0015-redis-client.md has the reason for each option.

import { isIP } from 'node:net';
import { createClient, defineScript, RESP_TYPES } from 'redis';
import { DECLARE_DEMAND, READ_DEMAND, WITHDRAW_DEMAND } from './demand-scripts.ts';
import { ACTIVATE_LEASE, RELEASE_LEASE, RENEW_LEASE, RESERVE_LEASE } from './lease/lease-scripts.ts';
import type { LinkSettings } from './link-settings.ts';
import { READ_CHANNEL } from './read-script.ts';
import { PUBLISH_BATCH } from './writers/shared-writer.ts';

export type RedisClient = ReturnType<typeof createRedisClient>;

/**
 * Bytes that the socket buffers before it applies backpressure: enough for several of the largest calls. With the
 * default, a large call takes two or three turns of the event loop, which costs a sixth of the publisher's CPU
 * (measured). Node's socket types omit this option.
 */
const WRITE_BUFFER: object = { writableHighWaterMark: 1024 * 1024 };

/**
 * Never connects. Its duplicates share its class, which takes 100 ms to build. New options would build another class.
 */
let template: ReturnType<typeof newTemplate> | undefined;

/** A client for one connection. RedisLink monitors it, and replaces it when it drops. */
export function createRedisClient(settings: LinkSettings) {
  const { host, port, db, username, password, tls, connectTimeoutMs, name } = settings;
  template ??= newTemplate();
  return template.duplicate({
    socket: {
      host,
      port,
      // SNI allows host names only, no addresses (RFC 6066).
      ...(tls ? { tls: true as const, ...(isIP(host) === 0 ? { servername: host } : {}) } : {}),
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

function newTemplate() {
  return createClient({
    RESP: 3,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    // CLIENT SETINFO needs a permission, and managed servers may not have it.
    disableClientInfo: true,
    commandOptions: { timeout: 0 },
    scripts: {
      publishBatch: script(PUBLISH_BATCH),
      readChannel: script(READ_CHANNEL),
      reserveLease: script(RESERVE_LEASE),
      activateLease: script(ACTIVATE_LEASE),
      renewLease: script(RENEW_LEASE),
      releaseLease: script(RELEASE_LEASE),
      declareDemand: script(DECLARE_DEMAND),
      withdrawDemand: script(WITHDRAW_DEMAND),
      readDemand: script(READ_DEMAND),
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

// The one place that makes Redis clients. Every option has a measured reason: see docs/decisions/0015-redis-client.md.

import { isIP } from 'node:net';
import { createClient, defineScript, RESP_TYPES } from 'redis';
import { DECLARE_DEMAND, READ_DEMAND, WITHDRAW_DEMAND } from './demand-scripts.ts';
import { ACTIVATE_LEASE, RELEASE_LEASE, RENEW_LEASE, RESERVE_LEASE } from './lease/lease-scripts.ts';
import type { LinkSettings } from './link-settings.ts';
import { READ_CHANNEL } from './read-script.ts';
import { PUBLISH_BATCH } from './writers/shared-writer.ts';

/** What the commands of one link need; the client's own type says the rest. */
export type RedisClient = ReturnType<typeof createRedisClient>;

/**
 * So many bytes are given to the socket before it is waited for: some calls of the largest size. By default a large call is written in
 * two or three steps, a turn of the event loop between (measured: a sixth of the publisher's CPU). An option of Node's streams that its
 * types leave out for sockets.
 */
const WRITE_BUFFER: object = { writableHighWaterMark: 1024 * 1024 };

/** Never connected. Its duplicates share its class, which takes 100 ms to build and would be built for every other set of options. */
let template: ReturnType<typeof newTemplate> | undefined;

/** One connection and no more: it is watched, and made anew when it drops, by link.ts. */
export function createRedisClient(settings: LinkSettings) {
  const { host, port, db, username, password, tls, connectTimeoutMs, name } = settings;
  template ??= newTemplate();
  return template.duplicate({
    socket: {
      host,
      port,
      // A name for the certificate; an address is none (RFC 6066).
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

/** Replies as bytes, so that messages are decoded strictly and by us. */
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

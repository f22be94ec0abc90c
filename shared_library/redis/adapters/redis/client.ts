// The one place that makes Redis clients. Every option has a measured reason: see ARCHITECTURE.md, "The Redis client".

import { isIP } from 'node:net';
import { createClient, defineScript, RESP_TYPES } from 'redis';
import { isRefusal } from './errors.ts';
import { ACQUIRE, PUBLISH, READ, RELEASE, RENEW } from './scripts.ts';
import type { RedisSettings } from './settings.ts';

/** What the commands of one link need; the client's own type says the rest. */
export type RedisClient = ReturnType<typeof createRedisClient>;

/** A silent server is noticed by the ping that gets no answer within the timeout; the timeout alone would end idle links. */
const PING_INTERVAL_MS = 1_000;
const SILENCE_MS = 3_000;
const MAX_BACKOFF_MS = 1_000;

/** @param isEstablished whether the link was up before; a first connection that fails is not tried again */
export function createRedisClient(settings: RedisSettings, isEstablished: () => boolean) {
  const { host, port, db, username, password, tls, reconnect, connectTimeoutMs, name } = settings;
  return createClient({
    RESP: 3,
    socket: {
      host,
      port,
      // A name for the certificate; an address is none (RFC 6066).
      ...(tls ? { tls: true as const, ...(isIP(host) === 0 ? { servername: host } : {}) } : {}),
      connectTimeout: connectTimeoutMs,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: (retries, cause) =>
        isEstablished() && reconnect && !isRefusal(cause) ? backoff(retries) : false,
    },
    database: db,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    name,
    pingInterval: PING_INTERVAL_MS,
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    scripts: {
      publishBatch: script(PUBLISH, 4),
      readChannel: script(READ, 3),
      acquireLease: script(ACQUIRE, 2),
      renewLease: script(RENEW, 1),
      releaseLease: script(RELEASE, 1),
    },
  });
}

/** Replies as bytes, so that messages are decoded strictly and by us. */
export const AS_BYTES = { [RESP_TYPES.BLOB_STRING]: Buffer } as const;

function script(source: string, keys: number) {
  return defineScript({
    SCRIPT: source,
    NUMBER_OF_KEYS: keys,
    parseCommand(parser, names: readonly string[], args: readonly string[]) {
      parser.pushKeys([...names]);
      parser.push(...args);
    },
    transformReply: (reply: unknown) => reply,
  });
}

/** The first try at once, then 50 ms doubling up to a second, each at a random point of its upper half so that many bots do not come at once. */
function backoff(retries: number): number {
  if (retries === 0) return 0;
  const ceiling = Math.min(50 * 2 ** (retries - 1), MAX_BACKOFF_MS);
  return Math.round(ceiling * (0.5 + Math.random() / 2));
}

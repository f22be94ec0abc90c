// CHANNELS and CONFIG, shared by all services. Importing it reads the environment and has no other effect.

import {
  DEFAULT_ADDRESS,
  parseDb,
  parseHost,
  parsePort,
  parseRedisUrl,
  type RedisAddress,
} from './transport/redis/address.ts';

export { CHANNELS } from './channel/bundled-channels.ts';

/**
 * The address of Redis from the environment: REDIS_URL, or else REDIS_HOST, REDIS_PORT and REDIS_DB. Default
 * 127.0.0.1:6379/0. A publisher or subscriber with this host and port also uses the URL's user, password, database and
 * TLS.
 */
export interface Config {
  readonly HOST: string;
  readonly PORT: number;
  readonly DB: number;
  /** The complete address with credentials. Not enumerable, so that logging CONFIG reveals no secret. */
  readonly ADDRESS: RedisAddress;
}

/** Frozen. Reading a value throws TickbusError `TICKBUS_INVALID_OPTION` if the environment is invalid. */
export const CONFIG: Config = readConfig(process.env);

/** The Config of the given environment variables. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const outcome = attempt(() => readAddress(env));
  const address = (): RedisAddress => {
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  };
  const visible = { enumerable: true, configurable: false };
  return Object.freeze(
    Object.defineProperties({} as Config, {
      HOST: { ...visible, get: () => address().host },
      PORT: { ...visible, get: () => address().port },
      DB: { ...visible, get: () => address().db },
      ADDRESS: { enumerable: false, configurable: false, get: address },
    }),
  );
}

function readAddress(env: Readonly<Record<string, string | undefined>>): RedisAddress {
  const { REDIS_URL, REDIS_HOST, REDIS_PORT, REDIS_DB } = env;
  if (REDIS_URL) return Object.freeze(parseRedisUrl(REDIS_URL, 'REDIS_URL'));
  return Object.freeze({
    ...DEFAULT_ADDRESS,
    ...(REDIS_HOST ? { host: parseHost(REDIS_HOST, 'REDIS_HOST') } : {}),
    ...(REDIS_PORT ? { port: parsePort(REDIS_PORT, 'REDIS_PORT') } : {}),
    ...(REDIS_DB ? { db: parseDb(REDIS_DB, 'REDIS_DB') } : {}),
  });
}

function attempt<T>(action: () => T): { value: T } | { error: unknown } {
  try {
    return { value: action() };
  } catch (error) {
    return { error };
  }
}

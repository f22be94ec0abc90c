// CHANNELS and CONFIG, shared by all services. Importing it reads the environment and has no other effect.

import { checkedNamespace } from './channel/namespace.ts';
import { TickbusError } from './errors.ts';
import {
  DEFAULT_ADDRESS,
  parseDb,
  parseHost,
  parsePort,
  type RedisAddress,
  withPort,
} from './transport/redis/address.ts';
import type { Certificates } from './transport/redis/certificates.ts';
import { parseRedisUrl } from './transport/redis/redis-url.ts';

export { CHANNELS } from './channel/bundled-channels.ts';
export { tradeCommands } from './channel/trade-commands.ts';
export { barChannel, priceChannel, tradeChannel, venueOf } from './channel/venue-channels.ts';
export { formatAddress } from './transport/redis/address.ts';
export { REDIS_URL_FORMS } from './transport/redis/redis-url.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The address of Redis from the environment: REDIS_URL, or else REDIS_HOST, REDIS_PORT and REDIS_DB. Default
 * 127.0.0.1:6379/0. A publisher or subscriber with this host and port also uses the URL's user, password, database and
 * TLS.
 *
 * A `rediss://` URL also uses the files in REDIS_TLS_CA_FILE (the authorities to trust), REDIS_TLS_CERT_FILE and
 * REDIS_TLS_KEY_FILE (the client's certificate and its private key), in PEM, and the host name in
 * REDIS_TLS_SERVERNAME. The files are read for each connection.
 */
export interface Config {
  /** A host name, an IP address without brackets, or the absolute path of a Unix socket. */
  readonly HOST: string;
  readonly PORT: number;
  readonly DB: number;
  /** TICKBUS_NAMESPACE: the namespace of every connection that is created without one; undefined for none. */
  readonly NAMESPACE: string | undefined;
  /** The complete address with credentials. Not enumerable, so that logging CONFIG reveals no secret. */
  readonly ADDRESS: RedisAddress;
}

/** Frozen. Reading a value throws TickbusError `TICKBUS_INVALID_OPTION` if the environment is invalid. */
export const CONFIG: Config = readConfig(process.env);

/** The Config of the given environment variables. */
export function readConfig(env: Environment): Config {
  const outcome = attempt(() => readAddress(env));
  const address = () => resultOf(outcome);
  const namespace = attempt(() => readNamespace(env));
  const visible = { enumerable: true, configurable: false };
  return Object.freeze(
    Object.defineProperties({} as Config, {
      HOST: { ...visible, get: () => address().host },
      PORT: { ...visible, get: () => address().port },
      DB: { ...visible, get: () => address().db },
      NAMESPACE: { ...visible, get: () => resultOf(namespace) },
      ADDRESS: { enumerable: false, configurable: false, get: address },
    }),
  );
}

/**
 * The environment without the variables that Kubernetes sets for services. For a service called `redis` it sets
 * REDIS_PORT=tcp://10.0.0.1:6379, which is no port. Such a variable counts as not set if its name ends with _PORT, as
 * those of Kubernetes do: a REDIS_URL of this form is a mistake, and another server must not be used in its place.
 */
export function withoutServiceLinks(env: Environment): Environment {
  const isLink = ([name, value = '']: [string, string | undefined]) =>
    name.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\/[\da-f.:[\]]+:\d+$/i.test(value);
  return Object.fromEntries(Object.entries(env).filter((entry) => !isLink(entry)));
}

function readNamespace({ TICKBUS_NAMESPACE }: Environment): string | undefined {
  return TICKBUS_NAMESPACE ? checkedNamespace(TICKBUS_NAMESPACE, 'TICKBUS_NAMESPACE') : undefined;
}

function readAddress(env: Environment): RedisAddress {
  const address = readPlainAddress(withoutServiceLinks(env));
  const certificates = readCertificates(env);
  const { ca, cert, key } = certificates;
  const field = (ca ?? cert ?? key)?.field ?? (certificates.servername && 'REDIS_TLS_SERVERNAME');
  if (field === undefined) return Object.freeze(address);
  if (address.tls) return Object.freeze({ ...address, certificates });
  const text = `${field} is set, but the connection would not be encrypted. Set REDIS_URL to a URL with rediss://.`;
  throw new TickbusError('TICKBUS_INVALID_OPTION', text, { field });
}

function readPlainAddress({ REDIS_URL, REDIS_HOST, REDIS_PORT, REDIS_DB }: Environment): RedisAddress {
  if (REDIS_URL) return parseRedisUrl(REDIS_URL, 'REDIS_URL');
  const place = REDIS_HOST ? parseHost(REDIS_HOST, 'REDIS_HOST') : {};
  const port = REDIS_PORT ? parsePort(REDIS_PORT, 'REDIS_PORT') : undefined;
  return {
    ...DEFAULT_ADDRESS,
    ...withPort(place, port, 'REDIS_HOST'),
    ...(REDIS_DB ? { db: parseDb(REDIS_DB, 'REDIS_DB') } : {}),
  };
}

function readCertificates(env: Environment): Certificates {
  const source = (name: 'ca' | 'cert' | 'key') => {
    const field = `REDIS_TLS_${name.toUpperCase()}_FILE`;
    const file = env[field];
    return file ? { [name]: { field, file } } : {};
  };
  const servername = env.REDIS_TLS_SERVERNAME;
  return { ...source('ca'), ...source('cert'), ...source('key'), ...(servername ? { servername } : {}) };
}

type Outcome<T> = { value: T } | { error: unknown };

function resultOf<T>(outcome: Outcome<T>): T {
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

function attempt<T>(action: () => T): Outcome<T> {
  try {
    return { value: action() };
  } catch (error) {
    return { error };
  }
}

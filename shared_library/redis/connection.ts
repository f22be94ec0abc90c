// RedisConnection: the links of a service to Redis, shared by its publishers and subscribers.

import { checkedNamespace } from './channel/namespace.ts';
import { CONFIG } from './constants.ts';
import { TickbusError } from './errors.ts';
import type { Logger } from './runtime/logger.ts';
import { containedLogger } from './runtime/logger.ts';
import { checkOptionNames, checkType, describe, type OptionNames } from './runtime/option-checks.ts';
import { thisProgram } from './runtime/program.ts';
import type { Connection } from './transport/port.ts';
import { parseDb, parseHost, parsePort, type RedisAddress, withPort } from './transport/redis/address.ts';
import { checkCertificates, type PemSource } from './transport/redis/certificates.ts';
import type { LinkSettings } from './transport/redis/link-settings.ts';
import { RedisLinks } from './transport/redis/redis-links.ts';
import { parseRedisUrl } from './transport/redis/redis-url.ts';

/** The text of a PEM file, or its path: a file is read for each connection, so that a renewed one is used. */
export type Pem = string | Uint8Array | { readonly file: string };

/**
 * The address of Redis and the behaviour of its links. Missing values come from CONFIG, and so from the environment.
 */
export interface RedisConnectionOptions {
  /**
   * `redis[s]://[[user]:password@]host[:port][/db]`, or one of these forms:
   *
   * - `unix://[[user]:password@]/path[?db=N]` for a Unix socket
   * - `redis[s]+sentinel://[[user]:password@]host[:port],host[:port]/master[/db][?sentinel_password=...]` for the
   *   master behind Redis Sentinel, with the hosts of the sentinels
   * - `redis[s]+cluster://[[user]:password@]host[:port][,host[:port]]` for a cluster, with one or more of its nodes
   *
   * Characters of user and password that are reserved in URLs must be escaped, as in `%23` for "#". Not allowed with
   * `host` or `port`. `db` overrides its database.
   */
  url?: string | undefined;
  /**
   * A host name, an IP address (IPv6 with or without brackets), each with an optional port, or the absolute path of a
   * Unix socket. Default: CONFIG.HOST.
   */
  host?: string | undefined;
  /** Default: CONFIG.PORT. */
  port?: number | undefined;
  /**
   * Default: the url's; without `url`, CONFIG.DB if host and port are those of CONFIG, else 0. Concerns stored values
   * only: pub/sub ignores databases, so a channel that another database uses is refused. `namespace` separates desks.
   */
  db?: number | undefined;
  /**
   * The certificates of the authorities to trust, in PEM: they replace those of Node.js. This option and the three
   * below need TLS, as in `rediss://`. Default: without `url`, the environment's if the address is that of CONFIG; else
   * those of Node.js.
   */
  ca?: Pem | undefined;
  /** The certificate that identifies the client, in PEM, for a server that requires one. Needs `key`. */
  cert?: Pem | undefined;
  /** The private key of `cert`, in PEM, without a passphrase. */
  key?: Pem | undefined;
  /** The host name that the certificate of the server must have. Default: the host. */
  servername?: string | undefined;
  /**
   * Separates desks that share a server: names on the server begin with the namespace and a colon, as in
   * `paper:PRICE_DATA`. Programs of different namespaces never hear each other. 1 to 64 letters, digits, "-", "_" and
   * ".". Default: CONFIG.NAMESPACE, for every server; without it, names are as the channels have them.
   */
  namespace?: string | undefined;
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
    checkOptionNames('RedisConnection', options, ADDRESS_NAMES);
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

/** The names of RedisConnectionOptions, for `checkOptionNames`. */
export const ADDRESS_NAMES: OptionNames<RedisConnectionOptions> = {
  url: true,
  host: true,
  port: true,
  db: true,
  ca: true,
  cert: true,
  key: true,
  servername: true,
  namespace: true,
  reconnect: true,
  connectTimeoutMs: true,
  logger: true,
};

/** The names of ConnectionOptions, for `checkOptionNames`. */
export const CONNECTION_NAMES = { ...ADDRESS_NAMES, connection: true } as const;

/** `isOwned` is false for a shared connection, which only its creator closes. */
export function connectionFrom(options: ConnectionOptions): { connection: Connection; isOwned: boolean } {
  const { connection, ...others } = options;
  if (connection !== undefined) {
    if ('namespace' in others && others.namespace !== undefined) throw sharedNamespace(connection);
    for (const name of Object.keys(ADDRESS_NAMES))
      if (name !== 'logger' && others[name as keyof typeof others] !== undefined)
        throw invalidOption(
          name,
          'is given together with `connection`, which has its own. Give one or the other.',
        );
    if (typeof connection?.close === 'function') return { connection, isOwned: false };
    throw invalidOption('connection', `is ${describe(connection)}. Use a RedisConnection.`);
  }
  // The caller has checked its other options, such as `sender`, which RedisConnection would reject.
  const address = Object.entries(others).filter(([name]) => Object.hasOwn(ADDRESS_NAMES, name));
  return { connection: new RedisConnection(Object.fromEntries(address)), isOwned: true };
}

/** The default sender: host name and process id. */
export function defaultSender(): string {
  const { host, pid } = thisProgram();
  return `${host}-${pid}`;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function redisSettings(options: RedisConnectionOptions): LinkSettings {
  const { connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS, reconnect = true, servername, logger } = options;
  checkType('reconnect', reconnect, 'boolean');
  checkType('servername', servername, 'string');
  for (const level of ['debug', 'info', 'warn', 'error'] as const)
    if (logger !== undefined && typeof logger?.[level] !== 'function')
      throw invalidOption(
        'logger',
        `has no method "${level}". Use an object with debug, info, warn and error.`,
      );
  if (!(Number.isFinite(connectTimeoutMs) && connectTimeoutMs > 0)) {
    throw invalidOption('connectTimeoutMs', `is ${connectTimeoutMs}. Use a number of milliseconds above 0.`);
  }
  const address = withCertificates(addressFrom(options), options);
  if (address.certificates !== undefined) checkCertificates(address.certificates);
  return {
    ...address,
    namespace: namespaceFrom(options),
    reconnect,
    connectTimeoutMs,
    name: `tickbus:${clientName()}`,
  };
}

/** The namespace is that of the program, so it does not depend on the address. */
function namespaceFrom({ namespace }: RedisConnectionOptions): string | undefined {
  return namespace === undefined ? CONFIG.NAMESPACE : checkedNamespace(namespace, 'namespace');
}

function addressFrom({ url, host, port, db }: RedisConnectionOptions): RedisAddress {
  if (url !== undefined) {
    if (host !== undefined || port !== undefined)
      throw invalidOption('url', 'is given together with host or port. Give one or the other.');
    const address = parseRedisUrl(url, 'url');
    if (db === undefined) return address;
    if (address.cluster !== undefined && db !== 0)
      throw invalidOption('db', `is ${describe(db)}, and a cluster has only database 0. Leave it out.`);
    return { ...address, db: parseDb(db, 'db') };
  }
  const place = host === undefined ? {} : parseHost(host, 'host');
  const { HOST, PORT, ADDRESS } = CONFIG;
  const target = {
    host: HOST,
    port: PORT,
    ...withPort(place, port === undefined ? undefined : parsePort(port, 'port'), 'host'),
    ...(db === undefined ? {} : { db: parseDb(db, 'db') }),
  };
  // The environment's credentials are never sent to another server.
  const isConfigured = target.host === HOST && target.port === PORT;
  return isConfigured ? { ...ADDRESS, ...target } : { db: 0, tls: false, ...target };
}

function withCertificates(address: RedisAddress, options: RedisConnectionOptions): RedisAddress {
  const { servername } = options;
  const sources = (['ca', 'cert', 'key'] as const).flatMap((field) => {
    const pem = options[field];
    return pem === undefined ? [] : [[field, pemSource(pem, field)] as const];
  });
  const given = { ...Object.fromEntries(sources), ...(servername === undefined ? {} : { servername }) };
  const [field] = Object.keys(given);
  if (field === undefined) return address;
  if (address.tls) return { ...address, certificates: { ...address.certificates, ...given } };
  throw invalidOption(
    field,
    'is given, but the connection would not be encrypted. Use a url with rediss://.',
  );
}

function pemSource(pem: Pem, field: string): PemSource {
  if (typeof pem === 'string') return { field, text: pem };
  if (pem instanceof Uint8Array) return { field, text: Buffer.from(pem).toString() };
  if (typeof pem?.file === 'string') return { field, file: pem.file };
  throw invalidOption(field, `is ${describe(pem)}. Pass the PEM text, or { file: '/path' }.`);
}

function sharedNamespace(connection: Connection): TickbusError {
  const { namespace } = connection ?? {};
  const own = namespace === undefined ? 'which has no namespace' : `whose namespace is "${namespace}"`;
  return invalidOption(
    'namespace',
    `is given together with \`connection\`, ${own}. Create a connection for each namespace, and omit this option.`,
  );
}

/** CLIENT SETNAME accepts printable ASCII without spaces. */
function clientName(): string {
  return defaultSender().replace(/[^!-~]/g, '-');
}

function invalidOption(field: string, problem: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `${field} ${problem}`, { field });
}

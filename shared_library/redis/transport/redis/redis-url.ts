// Parses the URL of Redis: one server, a Unix socket, Sentinel or a cluster.

import { isIP } from 'node:net';
import {
  DEFAULT_ADDRESS,
  formatPlace,
  invalidAddress,
  type Place,
  parseDb,
  parseHost,
  type RedisAddress,
} from './address.ts';

const DEFAULT_SENTINEL_PORT = 26_379;
const URL_FORMS =
  'Write it as redis://user:password@host:6379/0, as rediss:// for TLS, as unix:///path/redis.sock, as ' +
  'redis+sentinel://host:26379,host:26379/master for Sentinel, or as redis+cluster://host:6379,host:6379 for a cluster';
const ESCAPES = 'In user and password, write "#" as %23, "%" as %25, "/" as %2F, "?" as %3F and "@" as %40';

/** What `parseRedisUrl` accepts, one form a line, for the help text of a program. */
export const REDIS_URL_FORMS = `redis://[[user]:password@]host[:port][/db]
redis+sentinel://[[user]:password@]host[:port][,...]/master[/db][?sentinel_password=...]
redis+cluster://[[user]:password@]host[:port][,...]
unix://[[user]:password@]/path/redis.sock[?db=N]
With TLS: rediss://, rediss+sentinel://, rediss+cluster://`;

/**
 * Parses these forms, each with an optional `[user]:password@` before the first host:
 *
 * - `redis[s]://host[:port][/db]`
 * - `unix:///path[?db=N]` (or `redis+unix://`)
 * - `redis[s]+sentinel://host[:port][,host[:port]]/master[/db][?sentinel_username=...&sentinel_password=...]`
 * - `redis[s]+cluster://host[:port][,host[:port]]`
 *
 * Errors name `field` (the option or variable) and the part that is wrong, and contain no part of user or password.
 *
 * A reserved character in user or password must be escaped: other parsers would read `redis://bot:12#34@host` as the
 * port 12 of the host `bot`.
 *
 * Source of the single-server format: https://www.iana.org/assignments/uri-schemes/prov/redis
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION`
 */
export function parseRedisUrl(url: string, field: string): RedisAddress {
  const [, name = '', rest = ''] = SCHEME.exec(String(url).trim()) ?? [];
  if (name === '') throw invalidAddress(field, `is not a Redis URL. ${URL_FORMS}`);
  if (/\p{Cc}/u.test(rest))
    throw invalidAddress(field, 'contains a line break or control character. Remove it');
  const scheme = name.toLowerCase();
  const userEnd = rest.lastIndexOf('@');
  const credentials = parseCredentials(rest.slice(0, Math.max(0, userEnd)), field);
  const [, places = '', path = '', query = '', fragment = ''] =
    /^([^/?#]*)([^?#]*)([^#]*)(.*)$/s.exec(rest.slice(userEnd + 1)) ?? [];
  if (fragment !== '') throw invalidAddress(field, `contains "#", which must be escaped. ${ESCAPES}`);
  const parts = { places, path, query, field };
  const tls = scheme.startsWith('rediss');
  if (scheme.endsWith('unix')) return { ...DEFAULT_ADDRESS, ...parseSocket(parts), ...credentials };
  if (places === '') throw invalidAddress(field, `has no host. ${URL_FORMS}`);
  if (scheme.endsWith('sentinel')) return { ...parseSentinels(parts), ...credentials, tls };
  if (scheme.endsWith('cluster')) return { ...parseCluster(parts), ...credentials, tls };
  return { ...parseServer(parts), ...credentials, tls };
}

const SCHEME = /^(rediss?(?:\+(?:sentinel|cluster))?|unix|redis\+unix):\/\/(.*)$/is;

/** The parts of a URL after its credentials. `query` begins with "?" unless it is empty. */
interface UrlParts {
  readonly places: string;
  readonly path: string;
  readonly query: string;
  readonly field: string;
}

function parseServer({ places, path, query, field }: UrlParts): Place & { db: number } {
  if (places.includes(','))
    throw invalidAddress(
      field,
      'has several hosts, which redis:// cannot have. Use redis+sentinel:// or redis+cluster://',
    );
  parseQuery(query, [], field);
  const [place] = parsePlaces(places, DEFAULT_ADDRESS.port, field) as [Place];
  return { ...place, db: path.length < 2 ? 0 : parseDb(path.slice(1), field) };
}

function parseSocket({ places, path, query, field }: UrlParts): { host: string; db: number } {
  const parameters = parseQuery(query, ['db'], field);
  if (places !== '' || path.length < 2)
    throw invalidAddress(field, 'has no absolute path. Write it as unix:///path/redis.sock');
  const { host } = parseHost(decodePart(path, field), field);
  return { host, db: parseDb(parameters.get('db') ?? 0, field) };
}

function parseSentinels({ places, path, query, field }: UrlParts): Omit<RedisAddress, 'tls'> {
  const parameters = parseQuery(query, ['sentinel_username', 'sentinel_password'], field);
  const [, master = '', db, rest] = /^\/([^/]*)(?:\/([^/]*))?(.*)$/s.exec(path) ?? [];
  if (!MASTER_NAME.test(master) || rest !== '')
    throw invalidAddress(
      field,
      'has no valid name of a master. Write it after the hosts, as in redis+sentinel://host:26379/mymaster/0',
    );
  const [username, password] = ['sentinel_username', 'sentinel_password'].map((name) =>
    decodePart(parameters.get(name) ?? '', field),
  );
  const sentinel = {
    places: parsePlaces(places, DEFAULT_SENTINEL_PORT, field),
    master,
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
  };
  return { ...(sentinel.places[0] as Place), db: db ? parseDb(db, field) : 0, sentinel };
}

function parseCluster({ places, path, query, field }: UrlParts): Omit<RedisAddress, 'tls'> {
  parseQuery(query, [], field);
  if (!['', '/', '/0'].includes(path))
    throw invalidAddress(field, 'names a database, and a cluster has only database 0. Remove the path');
  const cluster = parsePlaces(places, DEFAULT_ADDRESS.port, field);
  return { ...(cluster[0] as Place), db: 0, cluster };
}

/** One host or several, each with an optional port. A host that is given twice counts once. */
function parsePlaces(text: string, defaultPort: number, field: string): readonly Place[] {
  const places = new Map<string, Place>();
  const hosts = text.split(',');
  for (const [index, host] of hosts.entries()) {
    const part = hosts.length === 1 ? field : `Host ${index + 1} of ${field}`;
    // Without brackets, ::1:6379 is an address, not a host with a port.
    if (!host.startsWith('[') && isIP(host) === 6)
      throw invalidAddress(
        field,
        'is an IPv6 address without brackets. Write it as in redis://[::1]:6379',
        part,
      );
    const place = { port: defaultPort, ...parseHost(host, field, part) };
    places.set(formatPlace(place), place);
  }
  return [...places.values()];
}

/** Letters, digits, ".", "_" and "-": what Sentinel accepts. */
const MASTER_NAME = /^[A-Za-z0-9._-]{1,200}$/;

function parseCredentials(text: string, field: string): Pick<RedisAddress, 'username' | 'password'> {
  if (/[#@?/]/.test(text))
    throw invalidAddress(field, `has a reserved character in its user or password. ${ESCAPES}`);
  const [, user = '', password = ''] = /^([^:]*):?(.*)$/s.exec(text) ?? [];
  return {
    ...(user === '' ? {} : { username: decodePart(user, field) }),
    ...(password === '' ? {} : { password: decodePart(password, field) }),
  };
}

/** Errors repeat only the name of a parameter, because any other text can be a part of a password. */
function parseQuery(text: string, allowed: readonly string[], field: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const item of text.slice(1).split('&')) {
    if (item === '') continue;
    const [, name, value = ''] = /^([a-z_-]{1,40})=(.*)$/is.exec(item) ?? [];
    if (name === undefined) throw invalidAddress(field, `contains "?", which must be escaped. ${ESCAPES}`);
    if (!allowed.includes(name)) {
      const use =
        allowed.length > 0 ? `Only ${allowed.join(', ')} is supported` : 'No parameter is supported';
      throw invalidAddress(
        field,
        `has the unknown query parameter "${name}", so it is not used. ${use}: remove it, and set options where the ` +
          'connection is created',
      );
    }
    parameters.set(name, value);
  }
  return parameters;
}

function decodePart(part: string, field: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalidAddress(field, `has an invalid "%" escape. ${ESCAPES}`);
  }
}

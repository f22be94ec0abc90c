// The address and credentials of a Redis server, parsed from a URL, a host or a port.

import { isIP } from 'node:net';
import { TickbusError } from '../../errors.ts';
import type { Certificates } from './certificates.ts';

export interface RedisAddress {
  /** A host name, an IP address without brackets, or the absolute path of a Unix socket. */
  readonly host: string;
  /** Unused with a Unix socket. */
  readonly port: number;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
  /** What TLS uses instead of the defaults of Node.js. */
  readonly certificates?: Certificates;
}

export const DEFAULT_ADDRESS: RedisAddress = Object.freeze({
  host: '127.0.0.1',
  port: 6379,
  db: 0,
  tls: false,
});

const URL_FORMS =
  'Write it as redis://user:password@host:6379/0, as rediss:// for TLS, or as unix:///path/redis.sock';
const ESCAPES = 'In user and password, write "#" as %23, "%" as %25, "/" as %2F, "?" as %3F and "@" as %40';

/**
 * Parses `redis[s]://[[user]:password@]host[:port][/db]` and `unix://[[user]:password@]/path[?db=N]` (or
 * `redis+unix://`). Errors name `field` (the option or variable) and contain no part of user or password.
 *
 * A reserved character in user or password must be escaped: other parsers would read `redis://bot:12#34@host` as the
 * port 12 of the host `bot`.
 *
 * Source of the format: https://www.iana.org/assignments/uri-schemes/prov/redis
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION`
 */
export function parseRedisUrl(url: string, field: string): RedisAddress {
  const [, scheme = '', rest = ''] = /^(rediss?|unix|redis\+unix):\/\/(.*)$/is.exec(String(url).trim()) ?? [];
  if (scheme === '') throw invalidOption(field, `is not a Redis URL. ${URL_FORMS}`);
  if (/\p{Cc}/u.test(rest))
    throw invalidOption(field, 'contains a line break or control character. Remove it');
  const userEnd = rest.lastIndexOf('@');
  const credentials = parseCredentials(rest.slice(0, Math.max(0, userEnd)), field);
  const [, place = '', path = '', query = '', fragment = ''] =
    /^([^/?#]*)([^?#]*)([^#]*)(.*)$/s.exec(rest.slice(userEnd + 1)) ?? [];
  if (fragment !== '') throw invalidOption(field, `contains "#", which must be escaped. ${ESCAPES}`);
  const isSocket = scheme.toLowerCase().endsWith('unix');
  const parameters = parseQuery(query, isSocket ? ['db'] : [], field);
  if (isSocket) {
    if (place !== '' || path.length < 2)
      throw invalidOption(field, 'has no absolute path. Write it as unix:///path/redis.sock');
    const host = parseHost(decodePart(path, field), field).host;
    return { ...DEFAULT_ADDRESS, host, db: parseDb(parameters.get('db') ?? 0, field), ...credentials };
  }
  if (place === '') throw invalidOption(field, `has no host. ${URL_FORMS}`);
  // Without brackets, ::1:6379 is an address, not a host with a port.
  if (!place.startsWith('[') && isIP(place) === 6)
    throw invalidOption(field, 'has an IPv6 address without brackets. Write it as in redis://[::1]:6379');
  const { host, port = DEFAULT_ADDRESS.port } = parseHost(place, field);
  const db = path.length < 2 ? 0 : parseDb(path.slice(1), field);
  return { host, port, db, ...credentials, tls: scheme.toLowerCase() === 'rediss' };
}

/**
 * Parses a host name, an IP address (IPv6 with or without brackets), each with an optional port as in `[::1]:6379`, or
 * the absolute path of a Unix socket.
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION` if it is none of these
 */
export function parseHost(text: string, field: string): { host: string; port?: number } {
  if (typeof text === 'string') {
    if (text.startsWith('/')) return { host: checkedSocketPath(text, field) };
    if (isIP(text) !== 0) return { host: text };
    const [, bracketed, name, port] = /^(?:\[(.*)\]|([^:]*))(?::(.*))?$/s.exec(text) ?? [];
    const host = bracketed ?? name ?? '';
    if (bracketed === undefined ? HOST_NAME.test(host) : isIP(host) === 6)
      return port === undefined ? { host } : { host, port: parsePort(port, field) };
  }
  throw invalidOption(
    field,
    'is not a host name or address. Write one as redis.example, 10.0.0.1, ::1, or /path/redis.sock for a Unix socket. ' +
      'A scheme or user belongs in a URL',
  );
}

/** Adds `port` to a parsed host. @throws TickbusError `TICKBUS_INVALID_OPTION` if the host has another port */
export function withPort(
  place: { readonly host?: string; readonly port?: number },
  port: number | undefined,
  field: string,
): { host?: string; port?: number } {
  if (port === undefined || place.port === undefined || place.port === port)
    return port === undefined ? place : { ...place, port };
  throw invalidOption(field, 'has a port, and another port is given too. Give the port once');
}

/** True if `host` is the path of a Unix socket. */
export function isSocketPath(host: string): boolean {
  return host.startsWith('/');
}

/** Scheme, host and port, without credentials. */
export function formatAddress({ host, port, tls }: Pick<RedisAddress, 'host' | 'port' | 'tls'>): string {
  if (isSocketPath(host)) return `unix://${host}`;
  return `${tls ? 'rediss' : 'redis'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless it is a whole number from 1 to 65535 */
export function parsePort(text: string | number, field: string): number {
  return wholeNumber(text, 1, 65_535, field, 'is not a port. Use a whole number from 1 to 65535');
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless it is a whole number from 0 to 1,000,000 */
export function parseDb(text: string | number, field: string): number {
  return wholeNumber(
    text,
    0,
    1_000_000,
    field,
    'is not a database number. Use a whole number, 0 or above (Redis has 0 to 15 by default)',
  );
}

/** Letters, digits, "-", "_" and dots. The first character is neither "-" nor a dot. */
const HOST_NAME = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]*)$/u;
/** The longest path that all operating systems accept for a Unix socket (`sun_path` without the final zero byte). */
const MAX_SOCKET_PATH_BYTES = 103;

function checkedSocketPath(path: string, field: string): string {
  if (/\p{Cc}/u.test(path)) throw invalidOption(field, 'has a control character in its path. Remove it');
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return path;
  throw invalidOption(
    field,
    `has a path of ${bytes} bytes, and a Unix socket allows ${MAX_SOCKET_PATH_BYTES}. Use a shorter path`,
  );
}

function parseCredentials(text: string, field: string): Pick<RedisAddress, 'username' | 'password'> {
  if (/[#@?/]/.test(text))
    throw invalidOption(field, `has a reserved character in its user or password. ${ESCAPES}`);
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
    if (name === undefined) throw invalidOption(field, `contains "?", which must be escaped. ${ESCAPES}`);
    if (!allowed.includes(name)) {
      const use =
        allowed.length > 0 ? `Only ${allowed.join(', ')} is supported` : 'No parameter is supported';
      throw invalidOption(
        field,
        `has the unknown query parameter "${name}", so it is not used. ${use}: remove it, and set options where the ` +
          'connection is created',
      );
    }
    parameters.set(name, value);
  }
  return parameters;
}

function wholeNumber(
  text: string | number,
  min: number,
  max: number,
  field: string,
  problem: string,
): number {
  const value = typeof text === 'number' ? text : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalidOption(field, problem);
}

function decodePart(part: string, field: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalidOption(field, `has an invalid "%" escape. ${ESCAPES}`);
  }
}

function invalidOption(field: string, problem: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `${field} ${problem}.`, { field });
}

// The address and credentials of Redis, with its parts: hosts, ports and database numbers.

import { isIP } from 'node:net';
import { TickbusError } from '../../errors.ts';
import type { Certificates } from './certificates.ts';

/** The address of one server. */
export interface Place {
  /** A host name, an IP address without brackets, or the absolute path of a Unix socket. */
  readonly host: string;
  /** Unused with a Unix socket. */
  readonly port: number;
}

/** With several servers, `host` and `port` are those of the first of `cluster` or of the sentinels. */
export interface RedisAddress extends Place {
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
  /** What TLS uses instead of the defaults of Node.js. */
  readonly certificates?: Certificates;
  /** Redis Cluster: nodes that are asked for the others. They use the credentials of this address. */
  readonly cluster?: readonly Place[];
  /** Redis Sentinel: who knows the address of the server. */
  readonly sentinel?: SentinelGroup;
}

/** Sentinels that watch one master. TLS applies to them as to the master. */
export interface SentinelGroup {
  readonly places: readonly Place[];
  /** The name of the master in their configuration. */
  readonly master: string;
  readonly username?: string;
  readonly password?: string;
}

export const DEFAULT_ADDRESS: RedisAddress = Object.freeze({
  host: '127.0.0.1',
  port: 6379,
  db: 0,
  tls: false,
});

/**
 * Parses a host name, an IP address (IPv6 with or without brackets), each with an optional port as in `[::1]:6379`, or
 * the absolute path of a Unix socket.
 *
 * @param part what errors name in place of `field`, such as one host of a list
 * @throws TickbusError `TICKBUS_INVALID_OPTION` if it is none of these
 */
export function parseHost(text: string, field: string, part = field): { host: string; port?: number } {
  if (typeof text === 'string') {
    if (text.startsWith('/')) return { host: checkedSocketPath(text, field) };
    if (isIP(text) !== 0) return { host: text };
    const [, bracketed, name, port] = /^(?:\[(.*)\]|([^:]*))(?::(.*))?$/s.exec(text) ?? [];
    const host = bracketed ?? name ?? '';
    if (bracketed === undefined ? HOST_NAME.test(host) : isIP(host) === 6)
      return port === undefined ? { host } : { host, port: parsePort(port, field, part) };
  }
  throw invalidAddress(
    field,
    'is not a host name or address. Write one as redis.example, 10.0.0.1, ::1, or /path/redis.sock for a Unix socket. ' +
      'A scheme or user belongs in a URL',
    part,
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
  throw invalidAddress(field, 'has a port, and another port is given too. Give the port once');
}

/** True if `host` is the path of a Unix socket. */
export function isSocketPath(host: string): boolean {
  return host.startsWith('/');
}

/** Scheme, hosts and ports, and the name of the master behind Sentinel, without credentials. */
export function formatAddress(
  address: Pick<RedisAddress, 'host' | 'port' | 'tls' | 'cluster' | 'sentinel'>,
): string {
  const { host, tls, cluster, sentinel } = address;
  if (isSocketPath(host)) return `unix://${host}`;
  const scheme = tls ? 'rediss' : 'redis';
  const list = (places: readonly Place[]) => places.map(formatPlace).join(',');
  if (cluster !== undefined) return `${scheme}+cluster://${list(cluster)}`;
  if (sentinel !== undefined) return `${scheme}+sentinel://${list(sentinel.places)}/${sentinel.master}`;
  return `${scheme}://${formatPlace(address)}`;
}

/** Host and port; an IPv6 address is in brackets. */
export function formatPlace({ host, port }: Place): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless it is a whole number from 1 to 65535 */
export function parsePort(text: string | number, field: string, part = field): number {
  const port = toWhole(text);
  if (port >= 1 && port <= 65_535) return port;
  const problem = part === field ? 'is not a port' : 'has no valid port';
  throw invalidAddress(field, `${problem}. Use a whole number from 1 to 65535`, part);
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless it is a whole number from 0 to 1,000,000 */
export function parseDb(text: string | number, field: string): number {
  const db = toWhole(text);
  if (db >= 0 && db <= 1_000_000) return db;
  throw invalidAddress(
    field,
    'is not a database number. Use a whole number, 0 or above (Redis has 0 to 15 by default)',
  );
}

/** Letters, digits, "-", "_" and dots. The first character is neither "-" nor a dot. */
const HOST_NAME = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]*)$/u;
/** The longest path that all operating systems accept for a Unix socket (`sun_path` without the final zero byte). */
const MAX_SOCKET_PATH_BYTES = 103;

function checkedSocketPath(path: string, field: string): string {
  if (/\p{Cc}/u.test(path)) throw invalidAddress(field, 'has a control character in its path. Remove it');
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return path;
  throw invalidAddress(
    field,
    `has a path of ${bytes} bytes, and a Unix socket allows ${MAX_SOCKET_PATH_BYTES}. Use a shorter path`,
  );
}

/** NaN unless it is a whole number, 0 or above. */
function toWhole(value: string | number): number {
  const number = typeof value === 'number' ? value : /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return Number.isInteger(number) ? number : Number.NaN;
}

/** @param part what the error names in place of `field` */
export function invalidAddress(field: string, problem: string, part = field): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `${part} ${problem}.`, { field });
}

// The address and credentials of a Redis server, parsed from a URL.

import { TickbusError } from '../../errors.ts';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}

export const DEFAULT_ADDRESS: RedisAddress = Object.freeze({
  host: '127.0.0.1',
  port: 6379,
  db: 0,
  tls: false,
});

/**
 * Parses `redis[s]://[[user]:password@]host[:port][/db]`. Errors name `field` and never contain the URL.
 * Source of the format: https://www.iana.org/assignments/uri-schemes/prov/redis
 *
 * @throws TickbusError `TICKBUS_INVALID_OPTION`
 */
export function parseRedisUrl(url: string, field: string): RedisAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const scheme = parsed?.protocol;
  if (parsed === undefined || (scheme !== 'redis:' && scheme !== 'rediss:') || parsed.hostname === '') {
    throw invalidOption(
      field,
      'is not a Redis URL. Write it as redis://user:password@host:6379/0, or rediss:// for TLS',
    );
  }
  const path = parsed.pathname.replace(/^\//, '');
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? DEFAULT_ADDRESS.port : parsePort(parsed.port, field),
    db: path === '' ? 0 : parseDb(path, field),
    ...(parsed.username === '' ? {} : { username: decodePart(parsed.username, field) }),
    ...(parsed.password === '' ? {} : { password: decodePart(parsed.password, field) }),
    tls: scheme === 'rediss:',
  };
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless it is a host name or an address */
export function parseHost(text: string, field: string): string {
  if (typeof text === 'string' && /^[^\s/@]+$/.test(text)) return text;
  throw invalidOption(
    field,
    'is not a host name or address. Omit scheme, user and port, which belong in a URL',
  );
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless it is a whole number from 1 to 65535 */
export function parsePort(text: string | number, field: string): number {
  return wholeNumber(text, 1, 65_535, field, 'is not a port. Use a whole number from 1 to 65535');
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless it is a whole number, 0 or above */
export function parseDb(text: string | number, field: string): number {
  return wholeNumber(
    text,
    0,
    1_000_000,
    field,
    'is not a database number. Use a whole number, 0 or above (Redis has 0 to 15 by default)',
  );
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
    throw invalidOption(field, 'has an invalid "%" escape in its user or password. Write "%" as "%25"');
  }
}

function invalidOption(field: string, problem: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', `${field} ${problem}.`, { field });
}

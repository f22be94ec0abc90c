// Redis URLs: every accepted form, and errors that never repeat a secret.

import { errorOf } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ADDRESS, parseDb, parsePort, parseRedisUrl } from '../../transport/redis/address.ts';
import { errorWith } from '../channels.fixture.ts';

const plain = { port: 6379, db: 0, tls: false };

describe('parseRedisUrl', () => {
  it.each<[string, object]>([
    ['redis://cache', { ...plain, host: 'cache' }],
    ['redis://cache/', { ...plain, host: 'cache' }],
    ['redis://cache:6380', { ...plain, host: 'cache', port: 6380 }],
    ['redis://cache:6380/3', { ...plain, host: 'cache', port: 6380, db: 3 }],
    ['redis://cache/15', { ...plain, host: 'cache', db: 15 }],
    ['rediss://cache', { ...plain, host: 'cache', tls: true }],
    ['REDIS://cache', { ...plain, host: 'cache' }],
    ['redis://10.0.0.7:1', { ...plain, host: '10.0.0.7', port: 1 }],
    ['redis://[::1]', { ...plain, host: '::1' }],
    ['redis://[2001:db8::2]:6380/2', { ...plain, host: '2001:db8::2', port: 6380, db: 2 }],
    ['redis://bot@cache', { ...plain, host: 'cache', username: 'bot' }],
    ['redis://:secret@cache', { ...plain, host: 'cache', password: 'secret' }],
    ['redis://bot:secret@cache', { ...plain, host: 'cache', username: 'bot', password: 'secret' }],
    [
      'redis://b%40t:p%3A%2F%40%25%20%C3%A4@cache',
      { ...plain, host: 'cache', username: 'b@t', password: 'p:/@% ä' },
    ],
    ['rediss://bot:s@[::1]:7/8', { host: '::1', port: 7, db: 8, username: 'bot', password: 's', tls: true }],
  ])('parses %s', (url, address) => {
    expect(parseRedisUrl(url, 'url')).toEqual(address);
  });

  it.each([
    'redis://',
    'redis:',
    '',
    'cache:6379',
    'localhost',
    'http://:hunter2@cache',
    'redis://:hunter2@',
    'redis://:hunter2@cache:0',
    'redis://:hunter2@cache:65536',
    'redis://:hunter2@cache:port',
    'redis://:hunter2@cache/one',
    'redis://:hunter2@cache/-1',
    'redis://:hunter2@cache/1/2',
    'redis://:hunter2%zz@cache',
    'redis://ca che/hunter2',
  ])('rejects %s with TICKBUS_INVALID_OPTION and the field, without repeating the URL', async (url) => {
    const error = (await errorOf(() => parseRedisUrl(url, 'REDIS_URL'))) as Error;
    expect(error).toMatchObject({ name: 'TickbusError', code: 'TICKBUS_INVALID_OPTION', field: 'REDIS_URL' });
    expect(error.message).toMatch(/^REDIS_URL .*\.$/);
    expect(error.message).not.toContain('hunter2');
    expect(error.cause).toBeUndefined();
  });
});

describe('parsePort and parseDb', () => {
  it('accept integers in their range, as string or number', () => {
    expect([parsePort('1', 'port'), parsePort(65_535, 'port')]).toEqual([1, 65_535]);
    expect([parseDb('0', 'db'), parseDb(15, 'db')]).toEqual([0, 15]);
  });

  it.each([0, -1, 65_536, 1.5, Number.NaN, '', ' 1', '1e3', '0x10', '6379 ', 'port'])(
    'reject port %j',
    (port) => {
      expect(() => parsePort(port, 'port')).toThrow(errorWith('TICKBUS_INVALID_OPTION', { field: 'port' }));
    },
  );

  it.each([-1, 1.5, Number.POSITIVE_INFINITY, '', 'one', '1.0'])('reject database %j', (db) => {
    expect(() => parseDb(db, 'db')).toThrow(errorWith('TICKBUS_INVALID_OPTION', { field: 'db' }));
  });
});

it('DEFAULT_ADDRESS is the local server, frozen', () => {
  expect(DEFAULT_ADDRESS).toEqual({ ...plain, host: '127.0.0.1' });
  expect(Object.isFrozen(DEFAULT_ADDRESS)).toBe(true);
});

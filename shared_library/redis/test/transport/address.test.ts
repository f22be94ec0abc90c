// Redis URLs: every accepted form, and errors that never repeat a secret.

import { errorOf } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_ADDRESS,
  formatAddress,
  parseDb,
  parseHost,
  parsePort,
} from '../../transport/redis/address.ts';
import { parseRedisUrl } from '../../transport/redis/redis-url.ts';
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
    ['redis://[::1]:7', { ...plain, host: '::1', port: 7 }],
    ['redis://:a:b@cache', { ...plain, host: 'cache', password: 'a:b' }],
    [' redis://cache\n', { ...plain, host: 'cache' }],
    ['unix:///run/redis.sock', { ...plain, host: '/run/redis.sock' }],
    ['unix:///run/redis.sock?db=3', { ...plain, host: '/run/redis.sock', db: 3 }],
    ['redis+unix:///run/my%20redis.sock', { ...plain, host: '/run/my redis.sock' }],
    [
      'redis+sentinel://s1,s2:26380,[::1]/mymaster',
      {
        ...plain,
        host: 's1',
        port: 26_379,
        sentinel: {
          places: [
            { host: 's1', port: 26_379 },
            { host: 's2', port: 26_380 },
            { host: '::1', port: 26_379 },
          ],
          master: 'mymaster',
        },
      },
    ],
    [
      'rediss+sentinel://bot:s%40@s1:1,s1:1/desk-1/3?sentinel_password=p%40&sentinel_username=watch',
      {
        host: 's1',
        port: 1,
        db: 3,
        tls: true,
        username: 'bot',
        password: 's@',
        sentinel: {
          places: [{ host: 's1', port: 1 }],
          master: 'desk-1',
          username: 'watch',
          password: 'p@',
        },
      },
    ],
    [
      'redis+cluster://:s@n1:7000,n2/0',
      {
        ...plain,
        host: 'n1',
        port: 7000,
        password: 's',
        cluster: [
          { host: 'n1', port: 7000 },
          { host: 'n2', port: 6379 },
        ],
      },
    ],
    ['rediss+cluster://n1', { ...plain, host: 'n1', tls: true, cluster: [{ host: 'n1', port: 6379 }] }],
    [
      'unix://bot:s%40@/run/redis.sock?db=1',
      { ...plain, host: '/run/redis.sock', db: 1, username: 'bot', password: 's@' },
    ],
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
    'redis://cache#hunter2',
    'redis://cache?hunter2',
    'redis://cache?password=hunter2',
    'redis://:hunt\ner2@cache',
    'redis://:hunter2@[::1',
    'redis://:hunter2@::1:6379',
    'redis://:hunter2@a:1,b:2',
    'redis+sentinel://:hunter2@s1:26379',
    'redis+sentinel://:hunter2@s1:26379/',
    'redis+sentinel://:hunter2@/mymaster',
    'redis+sentinel://:hunter2@s1/my master',
    'redis+sentinel://:hunter2@s1/mymaster/one',
    'redis+sentinel://:hunter2@s1/mymaster/0/1',
    'redis+sentinel://s1/mymaster?sentinel_pass=hunter2',
    'redis+sentinel://s1/mymaster?sentinel_password=hunter2%zz',
    'redis+cluster://:hunter2@',
    'redis+cluster://:hunter2@n1,',
    'redis+cluster://:hunter2@n1:7000/1',
    'redis+cluster://n1?sentinel_password=hunter2',
    'redis+nodes://:hunter2@n1',
    'unix://hunter2',
    'unix://:hunter2@',
    'unix://:hunter2@run/redis.sock',
    'unix:///run/redis.sock?db=one',
    `unix:///${'long/'.repeat(30)}redis.sock`,
  ])('rejects %s with TICKBUS_INVALID_OPTION and the field, without repeating the URL', async (url) => {
    const error = (await errorOf(() => parseRedisUrl(url, 'REDIS_URL'))) as Error;
    expect(error).toMatchObject({ name: 'TickbusError', code: 'TICKBUS_INVALID_OPTION', field: 'REDIS_URL' });
    expect(error.message).toMatch(/^(Host \d of )?REDIS_URL .*\.$/);
    expect(error.message).not.toContain('hunter2');
    expect(error.cause).toBeUndefined();
  });
});

describe('a reserved character in user or password that is not escaped', () => {
  const PASSWORDS = [
    '12#34',
    '12/34',
    '12?34',
    '12@34',
    '1#2@3',
    '6379/0?a=b',
    '#',
    'a@b:1/2',
    '12?timeout=34',
  ];
  it.each(PASSWORDS)('in %s is rejected with advice, and no part of it is repeated', async (password) => {
    const user = 'zelda';
    for (const url of [
      `redis://${user}:${password}@cache:6379/0`,
      `rediss://:${password}@cache`,
      `unix://${user}:${password}@/run/redis.sock`,
      `redis://${password}@cache`,
    ]) {
      const error = (await errorOf(() => parseRedisUrl(url, 'REDIS_URL'))) as Error;
      expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'REDIS_URL' });
      expect(error.message).toMatch(/reserved character in its user or password\. .*"#" as %23/);
      for (const part of [user, 'cache', '12', '34', '6379', 'timeout'])
        expect(error.message).not.toContain(part);
    }
  });

  it('is accepted once it is escaped', () => {
    for (const password of PASSWORDS)
      expect(parseRedisUrl(`redis://:${encodeURIComponent(password)}@cache`, 'url').password).toBe(password);
  });
});

it.each(['redis://cache?ssl_cert_reqs=none', 'rediss://cache/1?timeout=5', 'unix:///s?db=1&protocol=3'])(
  'an unknown query parameter in %s is rejected by name, without its value',
  async (url) => {
    const error = (await errorOf(() => parseRedisUrl(url, 'url'))) as Error;
    expect(error.message).toMatch(/unknown query parameter "(ssl_cert_reqs|timeout|protocol)"/);
    expect(error.message).not.toMatch(/none|=/);
  },
);

describe('parseHost', () => {
  it.each<[string, object]>([
    ['cache', { host: 'cache' }],
    ['cache.example.', { host: 'cache.example.' }],
    ['my_cache-1', { host: 'my_cache-1' }],
    ['10.0.0.1', { host: '10.0.0.1' }],
    ['::1', { host: '::1' }],
    ['fe80::1%eth0', { host: 'fe80::1%eth0' }],
    ['[::1]', { host: '::1' }],
    ['[::1]:6380', { host: '::1', port: 6380 }],
    ['[2001:db8::2]', { host: '2001:db8::2' }],
    ['cache:6380', { host: 'cache', port: 6380 }],
    ['/run/redis.sock', { host: '/run/redis.sock' }],
  ])('parses %s', (text, host) => expect(parseHost(text, 'host')).toEqual(host));

  it.each([
    '',
    ' ',
    'my cache',
    'redis://cache',
    'bot@cache',
    '[::1',
    '::1]',
    '[cache]',
    ':::',
    'a,b',
    'a:',
    '/\n',
  ])('rejects %j', (text) => {
    expect(() => parseHost(text, 'host')).toThrow(errorWith('TICKBUS_INVALID_OPTION', { field: 'host' }));
  });
});

it.each([
  ['redis+cluster://:hunter2@n1:7000,no good,n3', /^Host 2 of REDIS_URL is not a host name/],
  ['redis+cluster://n1,n2:0', /^Host 2 of REDIS_URL has no valid port/],
  ['redis+sentinel://s1,::1/mymaster', /^Host 2 of REDIS_URL is an IPv6 address without brackets/],
  [
    'redis://:hunter2@n1:7000,n2:7000',
    /^REDIS_URL has several hosts.*redis\+sentinel:\/\/ or redis\+cluster/,
  ],
  ['redis+cluster://n1/2', /^REDIS_URL names a database, and a cluster has only database 0/],
  ['redis+sentinel://s1', /^REDIS_URL has no valid name of a master/],
])('the error of %s names the part that is wrong', async (url, text) => {
  const error = (await errorOf(() => parseRedisUrl(url, 'REDIS_URL'))) as Error;
  expect(error.message).toMatch(text);
});

it.each(['redis+cluster://n1:7000,[::1]:7001', 'rediss+sentinel://s1:1,s2:2/mymaster'])(
  'formatAddress writes %s without credentials',
  (url) => {
    expect(formatAddress(parseRedisUrl(url.replace('://', '://bot:hunter2@'), 'url'))).toBe(url);
  },
);

it('formatAddress writes every kind of address without credentials', () => {
  const formats = ['redis://:s@cache', 'rediss://:s@[::1]:7', 'unix://:s@/run/redis.sock'].map((url) =>
    formatAddress(parseRedisUrl(url, 'url')),
  );
  expect(formats).toEqual(['redis://cache:6379', 'rediss://[::1]:7', 'unix:///run/redis.sock']);
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

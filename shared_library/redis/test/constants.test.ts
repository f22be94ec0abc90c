// CHANNELS and CONFIG: the shared channels, and the Redis address that the environment configures.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inspect, promisify } from 'node:util';
import { errorOf } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS, readConfig } from '../constants.ts';

describe('readConfig', () => {
  it('defaults to the local server, also if the variables are empty', () => {
    const local = { HOST: '127.0.0.1', PORT: 6379, DB: 0 };
    expect({ ...readConfig({}) }).toEqual(local);
    expect({ ...readConfig({ REDIS_URL: '', REDIS_HOST: '', REDIS_PORT: '', REDIS_DB: '' }) }).toEqual(local);
  });

  it.each([
    [{ REDIS_HOST: 'cache' }, { HOST: 'cache', PORT: 6379, DB: 0 }],
    [{ REDIS_PORT: '6380' }, { HOST: '127.0.0.1', PORT: 6380, DB: 0 }],
    [{ REDIS_DB: '3' }, { HOST: '127.0.0.1', PORT: 6379, DB: 3 }],
    [{ REDIS_URL: 'rediss://bot:s@cache:7/2' }, { HOST: 'cache', PORT: 7, DB: 2 }],
    [
      { REDIS_URL: 'redis://a', REDIS_HOST: 'b', REDIS_PORT: '1', REDIS_DB: '9' },
      { HOST: 'a', PORT: 6379, DB: 0 },
    ],
    [{ REDIS_HOST: '[::1]' }, { HOST: '::1', PORT: 6379, DB: 0 }],
    [
      { REDIS_HOST: '::1', REDIS_PORT: '7' },
      { HOST: '::1', PORT: 7, DB: 0 },
    ],
    [{ REDIS_HOST: '[::1]:7' }, { HOST: '::1', PORT: 7, DB: 0 }],
    [
      { REDIS_HOST: 'cache:7', REDIS_PORT: '7' },
      { HOST: 'cache', PORT: 7, DB: 0 },
    ],
    [
      { REDIS_HOST: '/run/redis.sock', REDIS_DB: '2' },
      { HOST: '/run/redis.sock', PORT: 6379, DB: 2 },
    ],
    [{ REDIS_URL: 'unix:///run/redis.sock?db=2' }, { HOST: '/run/redis.sock', PORT: 6379, DB: 2 }],
    [{ REDIS_URL: 'redis+sentinel://s1,s2:7/desk/3' }, { HOST: 's1', PORT: 26_379, DB: 3 }],
    [{ REDIS_URL: 'rediss+cluster://n1:7,n2' }, { HOST: 'n1', PORT: 7, DB: 0 }],
    [{ TICKBUS_NAMESPACE: 'paper' }, { HOST: '127.0.0.1', PORT: 6379, DB: 0, NAMESPACE: 'paper' }],
  ])('reads %j', (env, values) => {
    expect({ ...readConfig(env) }).toEqual(values);
  });

  it('ignores what Kubernetes sets for a service called redis', () => {
    const link = {
      REDIS_PORT: 'tcp://10.0.0.1:6379',
      REDIS_PORT_6379_TCP: 'tcp://10.0.0.1:6379',
      REDIS_PORT_6379_TCP_ADDR: '10.0.0.1',
      REDIS_SERVICE_HOST: '10.0.0.1',
      REDIS_SERVICE_PORT: '6379',
    };
    expect({ ...readConfig(link) }).toEqual({ HOST: '127.0.0.1', PORT: 6379, DB: 0 });
    expect({ ...readConfig({ ...link, REDIS_HOST: 'redis' }) }).toEqual({ HOST: 'redis', PORT: 6379, DB: 0 });
    expect(readConfig({ REDIS_PORT: 'tcp://[fd00::1]:6379' }).PORT).toBe(6379);
  });

  it('reads the files of TLS and the server name, for rediss:// only', () => {
    const files = { REDIS_TLS_CA_FILE: '/ca.pem', REDIS_TLS_SERVERNAME: 'cache.example' };
    expect(readConfig({ REDIS_URL: 'rediss://10.0.0.1', ...files }).ADDRESS.certificates).toEqual({
      ca: { field: 'REDIS_TLS_CA_FILE', file: '/ca.pem' },
      servername: 'cache.example',
    });
    for (const env of [files, { ...files, REDIS_URL: 'redis://cache' }])
      expect(() => readConfig(env).HOST).toThrow(
        /^REDIS_TLS_CA_FILE is set, but .* not be encrypted\..*rediss:/,
      );
    expect(() => readConfig({ REDIS_TLS_SERVERNAME: 'x' }).HOST).toThrow(/^REDIS_TLS_SERVERNAME is set, but/);
  });

  it('keeps the whole address, credentials and TLS included', () => {
    expect(readConfig({ REDIS_URL: 'rediss://bot:s%40@cache:7/2' }).ADDRESS).toEqual({
      host: 'cache',
      port: 7,
      db: 2,
      username: 'bot',
      password: 's@',
      tls: true,
    });
  });

  it.each([
    ['REDIS_URL', 'cache:6379'],
    ['REDIS_URL', 'http://:hunter2@cache'],
    ['REDIS_URL', 'redis://:hunter2%@cache'],
    ['REDIS_PORT', 'hunter2'],
    ['REDIS_PORT', '0'],
    ['REDIS_DB', 'hunter2'],
    ['REDIS_HOST', 'redis://:hunter2@cache'],
    ['REDIS_HOST', 'bot:hunter2@cache'],
    ['REDIS_HOST', 'my cache'],
    ['REDIS_URL', 'redis://bot:12#hunter2@cache'],
    ['REDIS_URL', 'redis://cache?token=hunter2'],
    ['REDIS_PORT', 'tcp://hunter2'],
    // Not from Kubernetes: another server must not be used in its place.
    ['REDIS_URL', 'tcp://10.0.0.1:6379'],
    ['REDIS_HOST', 'tcp://10.0.0.1:6379'],
  ])(
    '%s=%s throws TICKBUS_INVALID_OPTION only when a value is read, without the secret',
    async (name, value) => {
      const config = readConfig({ [name]: value });
      for (const read of ['HOST', 'PORT', 'DB', 'ADDRESS'] as const) {
        const error = (await errorOf(() => config[read])) as Error;
        expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: name });
        expect(error.message).toMatch(new RegExp(`^${name} .*\\.$`));
        expect(inspect(error)).not.toContain('hunter2');
      }
    },
  );

  it('REDIS_HOST with another port than REDIS_PORT throws TICKBUS_INVALID_OPTION', () => {
    expect(() => readConfig({ REDIS_HOST: 'cache:1', REDIS_PORT: '2' }).PORT).toThrow(
      /^REDIS_HOST has a port/,
    );
  });

  it('prints no password in any form', () => {
    const config = readConfig({ REDIS_URL: 'redis://bot:hunter2@cache' });
    const printed = [
      JSON.stringify(config),
      inspect(config),
      inspect(config, { getters: true }),
      inspect({ deep: { config } }, { depth: 9 }),
      `${Object.entries(config)}`,
      JSON.stringify({ ...config }),
    ];
    for (const text of printed) expect(text).not.toMatch(/hunter2|bot/);
    expect(JSON.parse(JSON.stringify(config))).toEqual({ HOST: 'cache', PORT: 6379, DB: 0 });
  });

  it('freezes the config and its address', () => {
    const config = readConfig({});
    expect(() => Object.assign(config, { HOST: 'other' })).toThrow(TypeError);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.ADDRESS)).toBe(true);
  });
});

describe('index.ts', () => {
  const module = fileURLToPath(new URL('../index.ts', import.meta.url));
  const run = (code: string) =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      env: { ...process.env, REDIS_URL: 'redis://:hunter2@host:port' },
    });

  it('can be imported with an unusable REDIS_URL; the first use throws TICKBUS_INVALID_OPTION', async () => {
    const { stdout, stderr } = await run(`
      const { CONFIG, RedisPublisher } = await import(${JSON.stringify(module)});
      const codes = [];
      for (const use of [() => CONFIG.HOST, () => new RedisPublisher()]) {
        try { use(); } catch (error) { codes.push(error.code + ' ' + error.field); }
      }
      console.log(codes.join(', '));
      new RedisPublisher({ url: 'redis://127.0.0.1' });
    `);
    expect(stdout.trim()).toBe('TICKBUS_INVALID_OPTION REDIS_URL, TICKBUS_INVALID_OPTION REDIS_URL');
    expect(stdout + stderr).not.toContain('hunter2');
  });
});

describe('CHANNELS', () => {
  it('have their documented names', () => {
    expect(Object.values(CHANNELS).map(String)).toEqual([
      'PRICE_DATA',
      'TRADES',
      'BARS',
      'TRADE_COMMANDS',
      'COMMAND_RESULTS',
      'BOT_STATUS',
      'FEED_STATUS',
      'INSTRUMENT_STATUS',
      'PRESENCE',
      'AUDIT',
    ]);
    expect(Object.isFrozen(CHANNELS)).toBe(true);
  });

  it('have their documented kind, key and default type', () => {
    const { PRICE_DATA, TRADE_COMMANDS, COMMAND_RESULTS, BOT_STATUS, FEED_STATUS } = CHANNELS;
    expect(PRICE_DATA).toMatchObject({ kind: 'state', defaultType: 'price', gateway: true });
    expect(PRICE_DATA.keyOf({ symbol: 'AAPL' })).toBe('AAPL');
    expect(BOT_STATUS).toMatchObject({ kind: 'state', defaultType: 'bot_status' });
    expect(BOT_STATUS.keyOf({ bot: 'b1' })).toBe('b1');
    expect(FEED_STATUS).toMatchObject({ kind: 'state', defaultType: 'feed_status' });
    expect(FEED_STATUS.keyOf({ feed: 'alpaca' })).toBe('alpaca');
    expect(CHANNELS.INSTRUMENT_STATUS).toMatchObject({ kind: 'state', defaultType: 'instrument_status' });
    expect(CHANNELS.INSTRUMENT_STATUS.keyOf({ symbol: 'AAPL' })).toBe('AAPL');
    expect(CHANNELS.PRESENCE).toMatchObject({ kind: 'state', defaultType: 'presence' });
    expect(CHANNELS.PRESENCE.keyOf({ name: 'momentum', instance: '1' })).toBe('momentum/1');
    expect(TRADE_COMMANDS).toMatchObject({
      kind: 'command',
      defaultType: 'place_order',
      expiresInMs: 30_000,
    });
    expect(COMMAND_RESULTS).toMatchObject({ kind: 'event', defaultType: 'command_result', history: 1_000 });
    expect(COMMAND_RESULTS.keyOf({ bot: 'b1' })).toBe('b1');
  });
});

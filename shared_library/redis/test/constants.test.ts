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
  ])('reads %j', (env, values) => {
    expect({ ...readConfig(env) }).toEqual(values);
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
      'TRADE_COMMANDS',
      'COMMAND_RESULTS',
      'BOT_STATUS',
      'FEED_STATUS',
      'INSTRUMENT_STATUS',
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
    expect(TRADE_COMMANDS).toMatchObject({
      kind: 'command',
      defaultType: 'place_order',
      expiresInMs: 30_000,
    });
    expect(COMMAND_RESULTS).toMatchObject({ kind: 'event', defaultType: 'command_result', history: 1_000 });
    expect(COMMAND_RESULTS.keyOf({ bot: 'b1' })).toBe('b1');
  });
});

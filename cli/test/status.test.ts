// `tickbus status` against a real server: its sentence, its exit codes, and users who may not look.

import { silentLogger } from '@tickbus/test-kit';
import { type Bot, defineBot } from 'tickbus/bot';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { call, hasControl, tickbus, withServer } from './harness.ts';

const server = withServer();
const { env } = server;
/** Long enough for a slow machine. */
const INTERVAL = { interval_ms: 600_000 };
const POLL = { timeout: 60_000 };
let bot: Bot;

beforeAll(async () => {
  const options = { name: 'momentum', prices: ['AAPL'], url: server.redis.url, logger: silentLogger };
  bot = defineBot(options).onPrice(() => {});
  await bot.start();
});
afterAll(() => bot.stop());

const status = (...args: string[]) => call(['status', ...args], { env: env() });

it('says which gateway is missing, then that all is well, as a process', async () => {
  await expect
    .poll(() => status(), POLL)
    .toMatchObject({
      code: 1,
      stdout: 'No gateway feeds PRICE_DATA, which momentum reads.\n',
    });
  await server.publish('FEED_STATUS', { feed: 'alpaca', state: 'live', ...INTERVAL });
  expect(await tickbus(['status'], { env: env() })).toEqual({
    code: 0,
    stdout: 'All is well: alpaca is live, and 1 bot reports.\n',
    stderr: '',
  });
});

it('names what is wrong, worst first, with advice as JSON', async () => {
  await server.publish('INSTRUMENT_STATUS', { symbol: 'APPL', state: 'unknown', feed: 'alpaca' });
  await server.publish('BOT_STATUS', { bot: '\u202eold', state: 'running', status_interval_ms: 1 });
  await server.publish('FEED_STATUS', {
    feed: 'kraken',
    channel: 'PRICE_DATA.kraken',
    state: 'down',
    detail: 'The broker is away.',
    ...INTERVAL,
  });
  const { code, stdout } = await status('--json');
  expect(code).toBe(1);
  expect(hasControl(stdout)).toBe(false);
  const { sentence, problems } = JSON.parse(stdout);
  expect(sentence).toMatch(
    /^3 things are wrong: the feed kraken on PRICE_DATA\.kraken is down \(The broker is away\); the bot \\u202eold is gone or hangs: it has not reported for \d+ s; the feed alpaca does not know APPL\.$/,
  );
  expect(problems.map(({ subject }: { subject: string }) => subject)).toEqual(['feed', 'bot', 'instrument']);
  expect(problems[2]).toMatchObject({ advice: 'Check the spelling where the bots subscribe.' });
  const terminal = await call(['status'], { env: env(), terminal: true });
  expect(terminal.stderr).toContain('First: See the log of its gateway');
});

it('counts a status with a lease that nobody holds as wrong', async () => {
  await server.publish('FEED_STATUS', { feed: 'alpaca', state: 'live', lease: 7, ...INTERVAL });
  expect((await status()).stdout).toContain(
    'the gateway of alpaca reports, but Redis does not confirm its lease; ',
  );
});

it('is wrong without Redis, and cannot tell with a wrong password or without permission', async () => {
  const refused = await call(['status', '--url', 'redis://127.0.0.1:1']);
  expect(refused).toMatchObject({ code: 1, stderr: '' });
  expect(refused.stdout).toMatch(
    /^Redis cannot be used, so nothing else is known: Cannot connect to Redis at redis:\/\/127\.0\.0\.1:1: /,
  );
  const wrong = await call(['status', '--url', server.redis.url.replace('//', '//nobody:wrong@')]);
  expect(wrong).toMatchObject({
    code: 2,
    stdout: expect.stringMatching(/^Cannot tell: Redis at \S+ refused/),
  });
  // May inspect the server, but read no last values.
  await server.redis.answers('ACL SETUSER looker on >secret resetkeys +@all');
  const denied = await call(['status', '--url', server.redis.url.replace('//', '//looker:secret@')]);
  expect(denied).toMatchObject({ code: 2, stdout: expect.stringMatching(/^Cannot tell: .*FEED_STATUS/) });
  expect((await call(['status', '--url', 'http://127.0.0.1'])).code).toBe(64);
});

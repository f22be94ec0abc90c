// The gateway as a process: prices, graceful shutdown, one clear error.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { CREDENTIALS, collect, ReceivedValues, SILENT } from './gateway.fixture.ts';

const MAIN = await bundledProgram(new URL('../main.ts', import.meta.url));
const SECRET = 'hush-hush';

let redis: LocalRedis;

beforeAll(async () => {
  redis = await startLocalRedis();
});

afterAll(() => redis.kill());

function run(env: Record<string, string>, ...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH ?? '', REDIS_URL: redis.url, HTTP_PORT: '0', LEASE_TTL_MS: '1000', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, exit: once(child, 'exit'), stdout: text(child.stdout), stderr: text(child.stderr) };
}

it.each([
  ['SIGTERM', {}],
  ['SIGINT', { TICKBUS_NAMESPACE: 'paper' }],
] as const)(
  'publishes until %s, publishes `stopped` and exits with 0, with %j',
  async (signal, env: { TICKBUS_NAMESPACE?: string }) => {
    await using broker = await startSimulatedBroker({ secret: SECRET });
    const { TICKBUS_NAMESPACE: namespace } = env;
    await using subscriber = new RedisSubscriber({ url: redis.url, namespace, logger: SILENT });
    const states = new ReceivedValues<string>();
    const prices = new ReceivedValues<string>();
    collect(subscriber, CHANNELS.FEED_STATUS, ({ data }) => states.add(data.state));
    collect(subscriber, CHANNELS.PRICE_DATA, ({ data }) => prices.add(data.symbol));
    await subscriber.startListening();
    const gateway = run({
      ALPACA_KEY: CREDENTIALS.key,
      ALPACA_SECRET: SECRET,
      ALPACA_URL: broker.url,
      SYMBOLS: 'AAPL,MSFT',
      ...env,
    });
    await prices.until(() => true);
    gateway.child.kill(signal);
    expect(await gateway.exit).toEqual([0, null]);
    await states.until((state) => state === 'stopped');
    expect(states.all.slice(-2)).toEqual(['stopping', 'stopped']);
    await vi.waitFor(() => expect(broker.stats.connections).toBe(0), 50_000);
    expect(await gateway.stdout).toBe('');
    const log = (await gateway.stderr).trim().split('\n');
    expect(log.map((line) => JSON.parse(line).msg)).toContain('The gateway has stopped.');
    expect(log.join()).not.toContain(SECRET);
  },
);

it.each([
  [{ ALPACA_KEY: 'k' }, /^ALPACA_SECRET must be the secret of your Alpaca account\.\n$/],
  [{ ALPACA_KEY: 'k', ALPACA_SECRET: SECRET, REDIS_URL: 'http://x' }, /^REDIS_URL [^\n]+\n$/],
  [{ ALPACA_KEY: 'k', ALPACA_SECRET: SECRET, TICKBUS_NAMESPACE: 'a b' }, /^TICKBUS_NAMESPACE [^\n]+\n$/],
  [
    { ALPACA_KEY: 'k', ALPACA_SECRET: SECRET, HTTP_HOST: '192.0.2.1', HTTP_PORT: '9464' },
    /^Cannot serve \/healthz and \/metrics on 192\.0\.2\.1:9464: [^\n]+\n$/,
  ],
  [
    { ALPACA_KEY: 'k', ALPACA_SECRET: SECRET, RECORD_TO: '/proc/recordings' },
    /^Cannot write recordings to the folder \/proc\/recordings: [^\n]+\n$/,
  ],
])('exits with one clear error for the environment %j', async (env, expected) => {
  const gateway = run({ LOG_LEVEL: 'silent', ...env });
  expect(await gateway.exit).toEqual([1, null]);
  expect(await gateway.stderr).toMatch(expected);
});

it('exits with 1 and explains what to do when Redis rejects its password at runtime', async () => {
  await using broker = await startSimulatedBroker();
  await redis.answers('ACL SETUSER gateway on >secret allchannels ~* +@all');
  await using subscriber = new RedisSubscriber({ url: redis.url, logger: SILENT });
  const prices = new ReceivedValues<string>();
  collect(subscriber, CHANNELS.PRICE_DATA, ({ data, snapshot }) => snapshot || prices.add(data.symbol));
  await subscriber.startListening();
  const gateway = run({
    ALPACA_KEY: CREDENTIALS.key,
    ALPACA_SECRET: CREDENTIALS.secret,
    ALPACA_URL: broker.url,
    SYMBOLS: 'AAPL',
    REDIS_URL: redis.url.replace('//', '//gateway:secret@'),
  });
  await prices.until(() => true);
  await redis.answers('ACL SETUSER gateway resetpass >another', 'CLIENT KILL USER gateway');
  expect(await gateway.exit).toEqual([1, null]);
  const log = (await gateway.stderr).trim().split('\n');
  expect(log.map((line) => JSON.parse(line)).filter(({ level }) => level === 60)).toMatchObject([
    {
      msg: 'Fatal error; shutting down the gateway.',
      err: { message: expect.stringMatching(/WRONGPASS.* Check the user and password in REDIS_URL/) },
    },
  ]);
  await vi.waitFor(() => expect(broker.stats.connections).toBe(0), 50_000);
});

it('exits with an error if Redis is unreachable', async () => {
  const gateway = run({
    ALPACA_KEY: 'k',
    ALPACA_SECRET: SECRET,
    REDIS_URL: 'redis://127.0.0.1:1',
    LOG_LEVEL: 'silent',
  });
  expect(await gateway.exit).toEqual([1, null]);
  expect(await gateway.stderr).toMatch(/^[^\n]*127\.0\.0\.1:1[^\n]*\n$/);
});

it('is healthy and ready while active, and serves its metrics', async () => {
  await using broker = await startSimulatedBroker();
  const port = await freePort();
  const args = ['--http-port', String(port), '--alpaca-url', broker.url, '--symbols', 'AAPL'];
  const gateway = run({ ALPACA_KEY: CREDENTIALS.key, ALPACA_SECRET: CREDENTIALS.secret }, ...args);
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  await vi.waitFor(async () => expect(await get('/readyz')).toContain('"feed":"live"'), 50_000);
  expect(JSON.parse(await get('/readyz'))).toEqual({
    ready: true,
    role: 'active',
    redis: 'connected',
    feed: 'live',
  });
  expect(await get('/healthz')).toBe('{"status":"ok"}');
  await vi.waitFor(
    async () => expect(await get('/metrics')).toMatch(/tickbus_gateway_prices_published_total [1-9]/),
    20_000,
  );
  gateway.child.kill('SIGTERM');
  expect(await gateway.exit).toEqual([0, null]);
});

it('prints its settings with --help', async () => {
  const gateway = run({}, '--help');
  expect(await gateway.exit).toEqual([0, null]);
  expect(await gateway.stdout).toContain('ALPACA_KEY');
});

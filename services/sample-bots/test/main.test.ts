// The bots as a process on a real Redis: operation, graceful shutdown, startup errors.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from './sample-bots.fixture.ts';

const MAIN = await bundledProgram(new URL('../main.ts', import.meta.url));

let redis: LocalRedis;

beforeAll(async () => {
  redis = await startLocalRedis();
});

afterAll(() => redis.kill());

function run(env: Record<string, string>, ...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH ?? '', REDIS_URL: redis.url, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, exit: once(child, 'exit'), stdout: text(child.stdout), stderr: text(child.stderr) };
}

it.each([{}, { TICKBUS_NAMESPACE: 'paper' }])(
  'runs all bots until SIGTERM, reports each as stopped, and exits with 0, with %j',
  async (env: { TICKBUS_NAMESPACE?: string }) => {
    const { TICKBUS_NAMESPACE: namespace } = env;
    await using subscriber = new RedisSubscriber({ url: redis.url, namespace, logger: silentLogger });
    const states = new Map<string, string>();
    subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data }) => states.set(data.bot, data.state));
    await subscriber.startListening();
    const all = (state: string) => ({ 'paper-trader': state, 'risk-guard': state, momentum: state });
    const bots = run(env);
    await eventually(() => expect(Object.fromEntries(states)).toEqual(all('running')));
    // Every bot receives its commands while the others run.
    await using operator = new RedisPublisher({ url: redis.url, namespace, logger: silentLogger });
    for (const bot of states.keys())
      await operator.publish(CHANNELS.TRADE_COMMANDS, { bot }, { type: 'pause' });
    await eventually(() => expect(Object.fromEntries(states)).toEqual(all('paused')));
    bots.child.kill('SIGTERM');
    expect(await bots.exit).toEqual([0, null]);
    await eventually(() => expect(Object.fromEntries(states)).toEqual(all('stopped')));
    expect(await bots.stdout).toBe('');
  },
);

it('exits with 1 and names the remedy if Redis rejects the password during operation', async () => {
  expect(await redis.answers('ACL SETUSER bot on >secret allchannels ~* +@all')).toContain('+OK');
  await using subscriber = new RedisSubscriber({ url: redis.url, logger: silentLogger });
  const running = new Set<string>();
  subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data, snapshot }) => {
    if (!snapshot && data.state === 'running') running.add(data.bot);
  });
  await subscriber.startListening();
  const bots = run({ REDIS_URL: redis.url.replace('//', '//bot:secret@') });
  await eventually(() => expect(running.size).toBe(3));
  await redis.answers('ACL SETUSER bot resetpass >another', 'CLIENT KILL USER bot');
  expect(await bots.exit).toEqual([1, null]);
  const log = await bots.stderr;
  expect(log).toMatch(/\n[^\n]*WRONGPASS[^\n]* Check the user and password in REDIS_URL\b[^\n]*\n$/);
  expect(log).not.toContain('secret');
});

it.each([
  ['an unknown bot', {}, ['arbitrage'], /^BOTS must be names among [^\n]+\n$/],
  [
    'no Redis',
    { REDIS_URL: 'redis://127.0.0.1:1', LOG_LEVEL: 'silent' },
    [],
    /^[^\n]*127\.0\.0\.1:1[^\n]*\n$/,
  ],
])('exits with one error line for %s', async (_, env, args, expected) => {
  const bots = run(env as Record<string, string>, ...args);
  expect(await bots.exit).toEqual([1, null]);
  expect(await bots.stderr).toMatch(expected);
});

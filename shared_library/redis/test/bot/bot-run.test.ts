// `run` in a process on a real Redis: signals, the orderly end, and a link that fails for good.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';

const PROGRAM = await bundledProgram(new URL('./bot-program.fixture.ts', import.meta.url));

let redis: LocalRedis;
let subscriber: RedisSubscriber;
let desk: RedisPublisher;
let states: string[];
const children: ChildProcess[] = [];

beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());
beforeEach(async () => {
  states = [];
  desk = new RedisPublisher({ url: redis.url, sender: 'desk', logger: silentLogger });
  subscriber = new RedisSubscriber({ url: redis.url, logger: silentLogger });
  subscriber.subscribe(CHANNELS.BOT_STATUS, ({ data, snapshot }) => {
    if (!snapshot && states.at(-1) !== data.state) states.push(data.state);
  });
  await subscriber.startListening();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all([subscriber.close(), desk.close()]);
});

async function start(url: string, ...args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { PATH: process.env.PATH ?? '', REDIS_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const outputs = { stdout: text(child.stdout), stderr: text(child.stderr) };
  const exit = once(child, 'exit');
  await expect.poll(() => states).toContain('running');
  return { child, exit, ...outputs };
}

/** Levels of pino. */
const [INFO, WARN] = [30, 40];
const logged = (lines: string) =>
  lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: number; msg: string; link?: string });

const cancel = (timeoutMs: number, onPublished?: () => void) =>
  desk.ask(CHANNELS.TRADE_COMMANDS, { bot: 'program' }, { type: 'cancel_all', timeoutMs, onPublished });

it.each(['SIGINT', 'SIGTERM'] as const)('ends in order on %s, with exit code 0', async (signal) => {
  const { child, exit, stdout, stderr } = await start(redis.url);
  expect(await cancel(50_000)).toMatchObject({ outcome: 'done', bot: 'program' });
  child.kill(signal);
  expect(await exit).toEqual([0, null]);
  await expect.poll(() => states).toEqual(['running', 'stopping', 'stopped']);
  expect(JSON.parse(await stdout)).toMatchObject({ commandsReceived: 1 });
  expect(logged(await stderr)).toMatchObject([
    { level: INFO, bot: 'program', subscriptions: [expect.any(String)], msg: 'The bot has started.' },
    { level: INFO, bot: 'program', commandsReceived: 1, msg: 'The bot has stopped.' },
  ]);
});

it('ignores another SIGTERM while it stops, and ends at once on SIGINT', async () => {
  const { child, exit } = await start(redis.url, 'hang');
  await new Promise<void>((resolve) => {
    cancel(50_000, () => resolve()).catch(() => {});
  });
  child.kill('SIGTERM');
  await expect.poll(() => states).toContain('stopping');
  child.kill('SIGTERM');
  child.kill('SIGINT');
  expect(await exit).toEqual([null, 'SIGINT']);
  expect(states).not.toContain('stopped');
});

it('lives on while the link is down, and logs for each link that it is lost and back', async () => {
  const { child, exit, stderr } = await start(redis.url);
  await redis.kill();
  await redis.start();
  await expect.poll(() => cancel(500).catch(({ code }) => code)).toMatchObject({ outcome: 'done' });
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  const back = logged(await stderr).filter(({ msg }) => /^Reconnected after \d+\.\d s\.$/.test(msg));
  const links = back.map(({ level, link = '' }) => `${level} ${link.slice(-4)}`);
  expect([...new Set(links)].sort()).toEqual([`${WARN} :pub`, `${WARN} :sub`]);
});

it('fails with the remedy if a link fails for good', async () => {
  expect(await redis.answers('ACL SETUSER bot on >secret allchannels ~* +@all')).toContain('+OK');
  const { exit, stderr } = await start(redis.url.replace('//', '//bot:secret@'));
  await redis.answers('ACL SETUSER bot resetpass >another', 'CLIENT KILL USER bot');
  expect(await exit).toEqual([1, null]);
  expect(await stderr).toMatch(/WRONGPASS.* Check the user and password in REDIS_URL/);
});

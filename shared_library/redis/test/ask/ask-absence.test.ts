// Asks to bots that crash, end, hang, or were never there, on a real server: each kind of absence has its outcome.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { errorOf, silentLogger } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import { presenceList } from '../../presence.ts';
import { type AskError, RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';

const { TRADE_COMMANDS, PRESENCE } = CHANNELS;
const PROGRAM = await bundledProgram(new URL('./quiet-bot.fixture.ts', import.meta.url));
/** Longer than any test: an ask that ends earlier was ended by presence. */
const LONG_MS = 600_000;

let redis: LocalRedis;
let connection: RedisConnection;
let desk: RedisPublisher;
let observer: RedisSubscriber;
/** The last state of each name, and when it was reported, in milliseconds of `performance.now()`. */
const reports = new Map<string, { readonly state: string; readonly at: number }>();
const closing: (() => unknown)[] = [];
let names = 0;

beforeAll(async () => {
  redis = await startLocalRedis();
  connection = new RedisConnection({ url: redis.url, logger: silentLogger });
  desk = new RedisPublisher({ connection, logger: silentLogger });
  observer = new RedisSubscriber({ connection, logger: silentLogger });
  observer.subscribe(PRESENCE, ({ data: { name, state } }) => {
    reports.set(name, { state, at: performance.now() });
  });
  await observer.startListening();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  await desk.close();
  await observer.close();
  await connection.close();
  await redis.kill();
});

async function startBot(name = `bot-${++names}`) {
  const child = spawn(process.execPath, [PROGRAM, redis.url, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  closing.push(() => end(child, 'SIGKILL'));
  const lines: string[] = [];
  child.stdout.on('data', (text) => lines.push(...String(text).trim().split('\n')));
  await expect.poll(() => lines).toContain('ready');
  return { name, child, lines };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  if (signal !== 'SIGSTOP') await exited;
}

type Command = 'pause' | 'resume';

const ask = (bot: string, timeoutMs = LONG_MS, { type = 'pause' as Command, publisher = desk } = {}) =>
  publisher.ask(TRADE_COMMANDS, { bot }, { type, timeoutMs });
const failure = (asked: Promise<unknown>) => errorOf(asked) as Promise<AskError>;

/** Asks, and resolves when the bot has received the command and the server has confirmed it. */
async function inFlight({ name, lines }: Awaited<ReturnType<typeof startBot>>) {
  let isPublished = false;
  const onPublished = () => {
    isPublished = true;
  };
  const failed = failure(
    desk.ask(TRADE_COMMANDS, { bot: name }, { type: 'pause', timeoutMs: LONG_MS, onPublished }),
  );
  await expect.poll(() => isPublished && lines.includes('pause')).toBe(true);
  return { failed };
}

/** A plain client that listens, and what it hears. */
async function plainListener(subscribe: 'subscribe' | 'pSubscribe' = 'subscribe') {
  const client = createClient({ url: redis.url });
  await client.connect();
  const heard: string[] = [];
  await client[subscribe](subscribe === 'subscribe' ? TRADE_COMMANDS.name : 'TRADE_*', (text) =>
    heard.push(text),
  );
  const leave = () => client.isOpen && client.destroy();
  closing.push(leave);
  return { heard, leave };
}

it.each([
  [
    'kill -9',
    'SIGKILL',
    'gone',
    /^bot-\d+ is gone .*which was published\. .*unknown\. It may still start until/,
  ],
  [
    'an orderly end',
    'SIGTERM',
    'left',
    /^bot-\d+ has ended, .*which was published\. .*It does not start later/,
  ],
  [
    'SIGSTOP',
    'SIGSTOP',
    'gone',
    /^bot-\d+ is gone .*which was published\. .*unknown\. It may still start until/,
  ],
] as const)('%s ends the ask in flight, and the next one is not sent', async (_, signal, state, text) => {
  const { heard } = await plainListener();
  const bot = await startBot();
  const { failed } = await inFlight(bot);
  await end(bot.child, signal);
  const error = await failed;
  const failedAt = performance.now();
  expect(error).toMatchObject({ code: 'TICKBUS_NO_ANSWER', messageId: expect.any(String), retryable: false });
  expect(error.message).toMatch(text);
  await expect.poll(() => reports.get(bot.name)?.state).toBe(state);
  console.log(
    `${signal}: failed ${Math.round(failedAt - (reports.get(bot.name)?.at ?? 0))} ms after ${state}`,
  );
  const sent = heard.length;
  const next = await failure(ask(bot.name));
  expect(next).toMatchObject({ code: 'TICKBUS_ABSENT', messageId: undefined, retryable: true });
  const absent = `Nobody named ${bot.name} listens to TRADE_COMMANDS: pause was not sent.`;
  const gone = `${bot.name} is gone: it crashed, hangs or lost its link; pause was not sent.`;
  expect(next.message).toContain(state === 'gone' ? gone : absent);
  expect(heard).toHaveLength(sent);
});

it('a bot that continues after SIGSTOP can be asked again', async () => {
  const bot = await startBot();
  const { failed } = await inFlight(bot);
  await end(bot.child, 'SIGSTOP');
  await failed;
  bot.child.kill('SIGCONT');
  await expect.poll(() => reports.get(bot.name)?.state).toBe('joined');
  expect(await ask(bot.name, LONG_MS, { type: 'resume' })).toMatchObject({ outcome: 'done', bot: bot.name });
});

it('a restarted bot gets new commands, and the old one fails when its predecessor is gone', async () => {
  const first = await startBot();
  const { failed } = await inFlight(first);
  await end(first.child, 'SIGKILL');
  await startBot(first.name);
  expect(await ask(first.name, LONG_MS, { type: 'resume' })).toMatchObject({ outcome: 'done' });
  expect(await failed).toMatchObject({ code: 'TICKBUS_NO_ANSWER' });
  expect(await ask(first.name, LONG_MS, { type: 'resume' })).toMatchObject({ outcome: 'done' });
});

it('a misspelt name is absent at once if every listener has a name', async () => {
  const bot = await startBot();
  const published: unknown[] = [];
  const onPublished = (each: unknown) => published.push(each);
  const error = await failure(
    desk.ask(TRADE_COMMANDS, { bot: `${bot.name}x` }, { type: 'pause', timeoutMs: LONG_MS, onPublished }),
  );
  expect(error.code).toBe('TICKBUS_ABSENT');
  expect(error.message).toContain(`Nobody named ${bot.name}x listens`);
  expect([published, bot.lines]).toEqual([[], ['ready']]);
  expect(await ask(bot.name, LONG_MS, { type: 'resume' })).toMatchObject({ outcome: 'done' });
});

it.each(['subscribe', 'pSubscribe'] as const)('a plain client (%s) is not refused', async (subscribe) => {
  await startBot();
  const { heard, leave } = await plainListener(subscribe);
  const asked = failure(ask('python-bot', 4_000));
  await expect.poll(() => heard.join()).toContain('python-bot');
  expect(await asked).toMatchObject({ code: 'TICKBUS_NO_ANSWER' });
  leave();
  await expect.poll(async () => (await failure(ask('python-bot', 300))).code).toBe('TICKBUS_ABSENT');
});

it.each(['a connection of its own', 'that of a named one'])(
  'a subscriber without a name, on %s, too',
  async (where) => {
    const own = new RedisConnection({ url: redis.url, logger: silentLogger });
    closing.push(() => own.close());
    const heard: string[] = [];
    const listening = async (name?: string) => {
      const subscriber = new RedisSubscriber({ connection: own, name, logger: silentLogger });
      subscriber.subscribe(TRADE_COMMANDS, ({ data }) => heard.push(data.bot));
      closing.push(() => subscriber.close());
      await subscriber.startListening();
    };
    if (where === 'that of a named one') {
      await listening('named');
      expect(await failure(ask('misspelt'))).toMatchObject({ code: 'TICKBUS_ABSENT' });
    }
    await listening();
    const asked = failure(ask('unnamed', 4_000));
    await expect.poll(() => heard).toContain('unnamed');
    expect(await asked).toMatchObject({ code: 'TICKBUS_NO_ANSWER' });
  },
);

it('a user who may not count listeners gets no error that a bot is absent', async () => {
  await startBot();
  const admin = createClient({ url: redis.url });
  await admin.connect();
  await admin.sendCommand('ACL SETUSER desk on >secret ~* &* +@all -pubsub'.split(' '));
  admin.destroy();
  const url = redis.url.replace('redis://', 'redis://desk:secret@');
  const publisher = new RedisPublisher({ url, logger: silentLogger });
  closing.push(() => publisher.close());
  expect(await failure(ask('misspelt', 1_000, { publisher }))).toMatchObject({ code: 'TICKBUS_NO_ANSWER' });
});

it('a named listener that may not report its presence is not refused', async () => {
  const admin = createClient({ url: redis.url });
  await admin.connect();
  await admin.sendCommand('ACL SETUSER hidden on >secret ~* &TRADE_* &tickbus:* +@all -zadd'.split(' '));
  admin.destroy();
  const url = redis.url.replace('redis://', 'redis://hidden:secret@');
  const subscriber = new RedisSubscriber({ url, name: 'hidden', logger: silentLogger });
  closing.push(() => subscriber.close());
  const heard: string[] = [];
  subscriber.subscribe(TRADE_COMMANDS, ({ data }) => heard.push(data.bot));
  await subscriber.startListening();
  const asked = failure(ask('hidden', 4_000));
  await expect.poll(() => heard).toEqual(['hidden']);
  expect(await asked).toMatchObject({ code: 'TICKBUS_NO_ANSWER' });
});

it('a new publisher learns that the only bot has crashed', async () => {
  const bot = await startBot();
  await end(bot.child, 'SIGKILL');
  await expect
    .poll(async () => (await presenceList(connection)).some(({ name }) => name === bot.name))
    .toBe(false);
  const publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
  closing.push(() => publisher.close());
  expect(await failure(ask(bot.name, LONG_MS, { publisher }))).toMatchObject({ code: 'TICKBUS_ABSENT' });
});

it.each([
  [
    'has not stopped',
    'running',
    'i',
    /^(\S+) is gone: it crashed, hangs or lost its link; pause was not sent\./,
  ],
  ['has stopped', 'stopped', 'i', /^Nobody named \S+ listens/],
  ['never had presence', 'running', undefined, /^Nobody named \S+ listens/],
] as const)(
  'a new publisher knows from the last status that an absent bot %s',
  async (_, state, instance, text) => {
    await startBot();
    const name = `reported-${++names}`;
    // PRESENCE has forgotten it.
    await desk.publish(CHANNELS.BOT_STATUS, { bot: name, state, instance });
    const publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
    closing.push(() => publisher.close());
    expect(await failure(ask(name, LONG_MS, { publisher }))).toMatchObject({
      code: 'TICKBUS_ABSENT',
      message: expect.stringMatching(text),
    });
  },
);

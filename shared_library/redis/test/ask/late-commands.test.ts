// Commands that reach a bot late, because it was stopped (SIGSTOP), and commands that reach it twice.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, errorOf, silentLogger } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';

const { TRADE_COMMANDS } = CHANNELS;
const PROGRAM = await bundledProgram(new URL('./quiet-bot.fixture.ts', import.meta.url));

let redis: LocalRedis;
let desk: RedisPublisher;
const children: ChildProcess[] = [];

beforeAll(async () => {
  redis = await startLocalRedis();
  desk = new RedisPublisher({ url: redis.url, logger: silentLogger });
});
afterAll(async () => {
  await desk.close();
  for (const child of children) child.kill('SIGKILL');
  await redis.kill();
});

async function startBot(name: string) {
  const child = spawn(process.execPath, [PROGRAM, redis.url, name], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines = new EventRecorder<string>();
  child.stdout.on('data', (text) => {
    for (const line of String(text).trim().split('\n')) lines.add(line);
  });
  await lines.first((line) => line === 'ready');
  return { child, lines };
}

async function untilAnswered(bot: string): Promise<void> {
  const asked = () => desk.ask(TRADE_COMMANDS, { bot }, { type: 'resume' });
  await expect.poll(() => asked().then(({ outcome }) => outcome, String)).toBe('done');
}

/** Publishes an envelope as a client without tickbus does. */
async function publishPlain(...envelopes: object[]): Promise<void> {
  const client = createClient({ url: redis.url });
  await client.connect();
  for (const envelope of envelopes) await client.publish(TRADE_COMMANDS.name, JSON.stringify(envelope));
  client.destroy();
}

it('a bot that was stopped obeys none of the commands that have expired meanwhile, plain ones included', async () => {
  const { child, lines } = await startBot('stopped');
  child.kill('SIGSTOP');
  const now = Date.now();
  const data = { bot: 'stopped' };
  const plain = { message_type: 'pause', data, timestamp: now, sender: 'plain', expires_at: now + 500 };
  await publishPlain({ ...plain, id: 'plain' }, { ...plain, id: 'other' });
  const asks = Array.from({ length: 20 }, () =>
    errorOf(desk.ask(TRADE_COMMANDS, data, { type: 'pause', timeoutMs: 1_000 })),
  );
  // On a slow machine, presence knows before the command is sent that the bot hangs.
  const codes = /^TICKBUS_(NO_ANSWER|ABSENT|NOT_SENT|OUTCOME_UNKNOWN)$/;
  for (const error of await Promise.all(asks))
    expect(error).toMatchObject({ code: expect.stringMatching(codes) });
  child.kill('SIGCONT');
  // The bot handles this one after all that came before it.
  await untilAnswered('stopped');
  expect(lines.items.filter((line) => line === 'pause')).toEqual([]);
});

it('a command that a plain client repeats with its id is obeyed once, also over SIGSTOP', async () => {
  const { child, lines } = await startBot('repeated');
  const data = { bot: 'repeated' };
  const expires_at = Date.now() + 600_000;
  const command = {
    message_type: 'pause',
    data,
    timestamp: Date.now(),
    sender: 'plain',
    id: 'twice',
    expires_at,
  };
  await publishPlain(command, command);
  await lines.first((line) => line === 'pause');
  child.kill('SIGSTOP');
  await publishPlain(command, { ...command, timestamp: Date.now() });
  child.kill('SIGCONT');
  // The library repeats it, too: the server does not know the id of the plain client.
  await desk.publish(TRADE_COMMANDS, data, { type: 'pause', id: 'twice' });
  await untilAnswered('repeated');
  expect(lines.items.filter((line) => line === 'pause')).toEqual(['pause']);
});

it('an asker that was stopped gets one outcome', async () => {
  const { child } = await startBot('asked');
  const program = await bundledProgram(new URL('./asker.fixture.ts', import.meta.url));
  const asker = spawn(process.execPath, [program, redis.url, 'asked'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(asker);
  const outcomes: string[] = [];
  asker.stdout.on('data', (text) => outcomes.push(...String(text).trim().split('\n')));
  await expect.poll(() => outcomes).toEqual(['published']);
  asker.kill('SIGSTOP');
  // The bot ends without an answer while the asker does not run.
  child.kill('SIGTERM');
  await once(child, 'exit');
  asker.kill('SIGCONT');
  await once(asker, 'exit');
  expect(outcomes).toEqual(['published', 'TICKBUS_NO_ANSWER']);
});

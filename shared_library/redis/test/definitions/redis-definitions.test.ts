// Definitions that disagree on a real Redis: the suite, programs as processes, what older versions leave, and the cost.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, errorOf, silentLogger as logger, RecordingLogger } from '@tickbus/test-kit';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { createClient } from 'redis';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { RedisConnection } from '../../connection.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { Clock } from '../../runtime/clock.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { changeUser, closeAfterEach, createUser } from '../integration/integration.fixture.ts';
import { describeComplaints } from './complaint-suite.ts';
import { describeConflicts } from './definition-suite.ts';

const PROGRAM = await bundledProgram(new URL('./fills-program.fixture.ts', import.meta.url));
const HEAD = 'tickbus:{FILLS}:head';
const TIMEOUT = { timeout: 120_000 };
const WAIT = { timeout: 60_000, interval: 5 };
const messages = { fill: z.object({ order: z.string(), symbol: z.string() }) };
const FILLS = defineChannel('FILLS', { kind: 'event', key: 'order', history: 10, messages });
const STATE = defineChannel('FILLS', { kind: 'state', key: 'order', messages });
const FILL = { order: 'o1', symbol: 'AAPL' };

interface ProgramEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

const closing = closeAfterEach();
let redis: LocalRedis;
let admin: ReturnType<typeof createClient>;
beforeAll(async () => {
  redis = await startLocalRedis();
  admin = createClient({ url: redis.url });
  await admin.connect();
});
afterAll(async () => {
  admin.destroy();
  await redis.kill();
});
beforeEach(() => admin.flushAll());

describeConflicts('redis', async () => new RedisConnection({ url: redis.url, logger }));
describeComplaints('redis', async () => new RedisConnection({ url: redis.url, logger }));

/** A program as a process, with the events that it prints. */
function start(...args: readonly string[]) {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { PATH: process.env.PATH ?? '', REDIS_URL: redis.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  closing.push(() => child.kill('SIGKILL'));
  const events = new EventRecorder<ProgramEvent>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{"type"')) events.add(JSON.parse(line));
  });
  const first = (type: string) => events.first((event) => event.type === type);
  return { first, events };
}

function newPublisher(clock?: Clock): RedisPublisher {
  const publisher = new RedisPublisher({ url: redis.url, sender: 'desk', logger, deadlineMs: 60_000, clock });
  closing.push(() => publisher.close());
  return publisher;
}

it.each([
  ['kind', ['event', 'order'], ['state', 'order'], 'kind=event key=order history=10', 'kind=state key=order'],
  ['key', ['state', 'order'], ['state', 'symbol'], 'kind=state key=order', 'kind=state key=symbol'],
] as const)(
  'processes with another %s: publisher and subscriber report it, and the first publisher goes on',
  TIMEOUT,
  async (field, theirs, others, recorded, own) => {
    const alpha = start('alpha', 'publish', ...theirs);
    await alpha.first('published');
    const beta = start('beta', 'publish', ...others);
    const refused = await beta.first('refused');
    expect(refused).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field });
    const advice = `DEL '${HEAD}' 'tickbus:{FILLS}:last' 'tickbus:{FILLS}:history'`;
    for (const part of [`"${recorded}" by alpha`, `"${own}" by this program`, advice])
      expect(refused.message).toContain(part);
    const gamma = start('gamma', 'subscribe', ...others);
    expect(await gamma.first('definition_conflict')).toMatchObject({
      severity: 'error',
      fields: [field],
      recorded,
      own,
      by: 'alpha',
    });
    await gamma.first('received');
    expect(beta.events.items.map(({ type }) => type)).not.toContain('published');
    expect(alpha.events.items.map(({ type }) => type)).not.toContain('refused');
  },
);

it('the advice of the error replaces a definition that is out of use', async () => {
  const old = newPublisher();
  await old.publish(STATE, FILL);
  await old.close();
  const publisher = newPublisher();
  const { message } = (await errorOf(publisher.publish(FILLS, FILL))) as Error;
  const [, keys = ''] = /DEL (.*)\.$/.exec(message) ?? [];
  await admin.del(keys.split(' ').map((key) => key.slice(1, -1)));
  expect(await publisher.publish(FILLS, FILL)).toMatchObject({ position: { seq: 1 } });
  expect(await admin.hGet(HEAD, 'definition')).toBe('kind=event key=order history=10 by=desk');
});

it('a head that an older version has written gets the definition of the next program', async () => {
  await newPublisher().publish(FILLS, FILL);
  await admin.hDel(HEAD, 'definition');
  await newPublisher().publish(FILLS, FILL);
  expect(await admin.hGet(HEAD, 'definition')).toBe('kind=event key=order history=10 by=desk');
});

it.each([
  ['text of another program', 'hello\nkind=state'],
  ['a text beyond every limit', `kind=state key=${'x'.repeat(5_000)}`],
  ['fields of a later version', 'kind=event key=order history=10 retention=5 by=later'],
])('%s in the field does not stop a publisher: %#', async (_, text) => {
  await newPublisher().publish(FILLS, FILL);
  await admin.hSet(HEAD, 'definition', text);
  expect(await newPublisher().publish(FILLS, FILL)).toMatchObject({ position: { seq: 2 } });
});

it(
  'a user who may not write the head leaves no complaint, and no entry in the ACL log',
  TIMEOUT,
  async () => {
    const publisher = newPublisher();
    await publisher.publish(STATE, FILL);
    const commands = ['+ping', '+subscribe', '+unsubscribe', '+evalsha', '+eval', '+get', '+hmget', '+hscan'];
    const rules = ['allchannels', '~tickbus:*', '-@all', ...commands, '+hlen', '+xrange', '+select', '+time'];
    const recorder = new RecordingLogger();
    const url = await createUser(redis, 'reader', ...rules);
    const subscriber = new RedisSubscriber({ url, name: 'gamma', logger: recorder, freshness: false });
    closing.push(() => subscriber.close({ timeoutMs: 0 }));
    await admin.aclLogReset();
    subscriber.subscribe(FILLS, () => {});
    await subscriber.startListening();
    const denied = ({ level, message }: RecordingLogger['lines'][number]) =>
      level === 'debug' && message.includes('may not report another definition');
    await expect.poll(() => recorder.lines.filter(denied).length, WAIT).toBe(1);
    expect(await admin.hGet(HEAD, 'conflict')).toBeNull();
    expect((await admin.aclLog()).filter(({ username }) => username === 'reader')).toEqual([]);
    await changeUser(redis, 'reader', '+hset');
    const other = new RedisSubscriber({ url, name: 'delta', logger, freshness: false });
    closing.push(() => other.close({ timeoutMs: 0 }));
    other.subscribe(FILLS, () => {});
    await other.startListening();
    await expect.poll(() => admin.hGet(HEAD, 'conflict'), WAIT).toMatch(/^at=\d+ .* by=delta$/);
  },
);

it('hostile text in the complaint stops no publisher, and is escaped in its log', TIMEOUT, async () => {
  const [clock, recorder] = [new ManualClock(), new RecordingLogger()];
  const publisher = new RedisPublisher({ url: redis.url, sender: 'desk', logger: recorder, clock });
  closing.push(() => publisher.close());
  await publisher.publish(FILLS, FILL);
  const publishWith = async (conflict: string) => {
    await admin.hSet(HEAD, 'conflict', conflict);
    clock.skip(10_000);
    await publisher.publish(FILLS, FILL);
  };
  await publishWith('hello\nkind=state');
  await publishWith(`at=1 ${'x'.repeat(1_000_000)}`);
  await publishWith(`at=${Date.now()} kind=\u001b[2J key=order by=%1b%ff\u202e`);
  await expect.poll(() => recorder.lines.filter(({ level }) => level === 'error').length, WAIT).toBe(1);
  for (const { message } of recorder.lines) expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

it('costs no command and no byte after the first message of a publisher', async () => {
  const publisher = newPublisher(new ManualClock());
  await publisher.publish(FILLS, FILL);
  const calls = await calledCommands(async () => {
    for (let count = 0; count < 20; count++) await publisher.publish(FILLS, FILL);
  });
  expect(calls.filter((call) => call.includes('definition') || call.includes('kind='))).toEqual([]);
  expect(calls.filter((call) => call.includes('EVALSHA'))).toHaveLength(20);
});

/** The commands that the server executes meanwhile, also those of scripts, as MONITOR shows them. */
async function calledCommands(action: () => Promise<void>): Promise<readonly string[]> {
  const monitor = admin.duplicate();
  await monitor.connect();
  const calls = new EventRecorder<string>();
  await monitor.monitor((line) => calls.add(String(line)));
  await action();
  await admin.echo('end of the test');
  await calls.first((call) => call.includes('end of the test'));
  monitor.destroy();
  return calls.items;
}

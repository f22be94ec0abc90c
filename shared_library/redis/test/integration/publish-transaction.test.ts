// A batch as one transaction: what it takes to pass, that nothing is done otherwise, and who hears it.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisClient } from '../../adapters/redis/client.ts';
import { publishCall, type TransactionCall } from '../../adapters/redis/publish-call.ts';
import { EARLIEST_MS } from '../../adapters/redis/publish-scripts.ts';
import { publishTransaction } from '../../adapters/redis/publish-transaction.ts';
import type { ChannelSpec } from '../../core/channel.ts';
import { batch, Heard, messagesIn, outgoing } from '../contracts/transport-bench.ts';

const CHANNEL: ChannelSpec = { name: 'PRICES', kind: 'state', history: 0 };
const HEAD = 'tickbus:{PRICES}:head';
const LEASE = 'tickbus:{PRICES}:lease';
const EPOCH = 1_700_000_000_000;
const END = { epoch: EPOCH, seq: 41 };
const COUNT = 20;

let redis: LocalRedis;
/** The one that publishes; the one that looks on; one that listens as our subscribers do. */
let client: RedisClient;
let admin: ReturnType<typeof newClient>;
let ours: ReturnType<typeof newClient>;
let heard: Heard;

/** All of this test. */
const clients: ReturnType<typeof newClient>[] = [];

const newClient = (url = redis.url) => createClient({ url, RESP: 3, commandOptions: { timeout: 0 } });

beforeAll(async () => {
  redis = await startLocalRedis();
  admin = await newClient().connect();
});
afterAll(async () => {
  admin.destroy();
  await redis.kill();
});
beforeEach(async () => {
  await admin.flushAll();
  await admin.hSet(HEAD, { ...END, call: 'a' });
  client = (await connected()) as unknown as RedisClient;
  ours = await connected();
  heard = new Heard();
  const listener = (frame: Buffer) => heard.add(...messagesIn(frame));
  await ours.subscribe(['PRICES', 'tickbus:{PRICES}:frames'], listener, true);
});
afterEach(() => {
  for (const one of clients.splice(0)) one.destroy();
});

async function connected(url?: string) {
  const one = newClient(url).on('error', () => {});
  clients.push(one);
  return one.connect();
}

interface Change {
  readonly after?: Partial<{ call: string; epoch: number; seq: number }>;
  readonly fence?: number;
  readonly stamp?: number;
  readonly channel?: ChannelSpec;
}

/** A batch that can pass, but for what is changed. The lower end of what a stamp may be leaves a call the most time. */
function callWith({ after, fence, stamp = Date.now(), channel = CHANNEL }: Change = {}): TransactionCall {
  const { call: name = 'a', ...end } = { ...END, ...after };
  const predecessor = { call: name, end, isRequired: true };
  const terms = { call: 'b', after: predecessor, fence, stamp, way: 'transaction' as const };
  const call = publishCall(channel, batch(COUNT), terms);
  if (call.script !== 'transaction') throw new Error('It does not go out as a transaction.');
  return call;
}

/** All that a transaction can have changed; a reply stands behind what was pushed before it. */
async function state() {
  await ours.ping();
  const head = await admin.hGetAll(HEAD);
  return { head: { ...head }, kept: await admin.hLen('tickbus:{PRICES}:last'), heard: heard.all.length };
}

const UNTOUCHED = { head: { epoch: String(EPOCH), seq: '41', call: 'a' }, kept: 0, heard: 0 };

/** On a busy machine a call can take longer than its stamp allows: then it is made again. */
async function published(make: () => TransactionCall, by = client) {
  for (let attempt = 0; attempt < 50; attempt++) {
    const answer = await publishTransaction(by, make());
    if (answer.receipt !== undefined) return answer;
  }
  throw new Error('No transaction passes.');
}

/** The client, with something done before it sends the first command of this name. */
function interrupted(name: string, action: () => Promise<unknown>): RedisClient {
  let turn: Promise<unknown> = Promise.resolve();
  let isDone = false;
  const sendCommand = (command: string[]) => {
    const before = turn.then(async () => {
      if (command[0] !== name || isDone) return;
      isDone = true;
      await action();
    });
    turn = before;
    return before.then(() => client.sendCommand(command));
  };
  return { sendCommand, publish: client.publish.bind(client) } as unknown as RedisClient;
}

describe('passes', () => {
  it('where all is as the call expects: one frame for our subscribers, each last value, and the next place', async () => {
    const { receipt, isOurs } = await published(callWith);
    expect(receipt).toEqual({ first: { epoch: EPOCH, seq: 42 }, receivers: 1 });
    expect(isOurs).toBe(true);
    expect(await state()).toEqual({
      head: { epoch: String(EPOCH), seq: '61', call: 'b' },
      kept: COUNT,
      heard: COUNT,
    });
    expect(heard.all.map(({ seq }) => seq)).toEqual(Array.from({ length: COUNT }, (_, index) => 42 + index));
    const kept = Object.values(await admin.hGetAll('tickbus:{PRICES}:last')).map((text) => JSON.parse(text));
    expect(kept.sort((one, other) => one.seq - other.seq)).toEqual(heard.all);
    expect(await admin.keys('*open*')).toEqual([]);
  });

  it('under the lease that is held', async () => {
    await admin.set(LEASE, '7');
    expect((await published(() => callWith({ fence: 7 }))).receipt?.first).toEqual({ epoch: EPOCH, seq: 42 });
  });

  it('to everybody on a channel that is framed in batches', async () => {
    const plain = await connected();
    const frames: string[] = [];
    await plain.subscribe('PRICES', (frame) => frames.push(frame));
    const framed: ChannelSpec = { ...CHANNEL, framing: 'batch' };
    expect((await published(() => callWith({ channel: framed }))).receipt?.receivers).toBe(2);
    await plain.ping();
    expect(frames.map((frame) => JSON.parse(frame).length)).toEqual([COUNT]);
    expect((await state()).head.call).toBe('b');
  });
});

describe('does nothing', () => {
  it.each<[string, Change]>([
    ['another number', { after: { seq: 40 } }],
    ['another epoch', { after: { epoch: EPOCH - 1 } }],
    ['another call', { after: { call: 'z' } }],
    ['no lease, and the caller takes himself to hold it', { fence: 7 }],
    ['a stamp that is late', { stamp: Date.now() + 3_600_000 }],
    ['a stamp that is earlier than it may be', { stamp: Date.now() - EARLIEST_MS - 1 }],
  ])('where the server finds %s', async (_, change) => {
    expect((await publishTransaction(client, callWith(change))).receipt).toBeUndefined();
    expect(await state()).toEqual(UNTOUCHED);
  });

  it("where another's lease stands", async () => {
    await admin.set(LEASE, '8');
    for (const fence of [undefined, 7])
      expect(
        (await publishTransaction(client, callWith(fence === undefined ? {} : { fence }))).receipt,
      ).toBeUndefined();
    expect(await state()).toEqual(UNTOUCHED);
  });

  it.each(['PRICES', 'P*', 'elsewhere.*'])('where a plain client listens to %s', async (name) => {
    const plain = await connected();
    if (name.includes('*')) await plain.pSubscribe(name, () => {});
    else await plain.subscribe(name, () => {});
    expect(await publishTransaction(client, callWith())).toMatchObject({ receipt: undefined, isOurs: false });
    expect(await state()).toEqual(UNTOUCHED);
  });

  it.each<[string, () => Promise<unknown>, object]>([
    ['another call', () => admin.hSet(HEAD, 'call', 'other'), { call: 'other' }],
    ['another lease', () => admin.set(LEASE, '8'), {}],
    ['a lease that begins and ends', () => admin.set(LEASE, '8').then(() => admin.del(LEASE)), {}],
    ['another transaction', () => admin.del('tickbus:{PRICES}:open'), {}],
  ])('where %s comes in between', async (_, action, change) => {
    for (const command of ['SADD', 'MULTI', 'EXEC']) {
      await admin.hSet(HEAD, 'call', 'a');
      await admin.del(LEASE);
      const { receipt } = await publishTransaction(interrupted(command, action), callWith());
      expect(receipt, command).toBeUndefined();
      expect(await state()).toEqual({ ...UNTOUCHED, head: { ...UNTOUCHED.head, ...change } });
    }
  });

  it('while the server is out of memory', async () => {
    await admin.configSet('maxmemory', '1');
    expect((await publishTransaction(client, callWith())).receipt).toBeUndefined();
    await admin.configSet('maxmemory', '0');
    expect(await state()).toEqual(UNTOUCHED);
  });

  // Whether the caller holds the lease or not: what ought to refuse him must not be passed over because it is not allowed itself.
  it.each(['get', 'hmget', 'time', 'sadd', 'eval', 'hset', 'publish', 'del', 'exec', 'pubsub'])(
    'for a user who may not use %s',
    async (name) => {
      await admin.sendCommand([
        'ACL',
        'SETUSER',
        'half',
        'reset',
        'on',
        '>pw',
        '~*',
        '&*',
        '+@all',
        `-${name}`,
      ]);
      const half = (await connected(redis.url.replace('//', '//half:pw@'))) as unknown as RedisClient;
      for (const lease of [undefined, '8']) {
        if (lease !== undefined) await admin.set(LEASE, lease);
        expect((await publishTransaction(half, callWith())).receipt).toBeUndefined();
        expect(await state()).toEqual(UNTOUCHED);
      }
    },
  );
});

describe('where a plain client comes while it is under way', () => {
  it('he hears the messages one by one, and the next call waits', async () => {
    const plain = await connected();
    const texts: string[] = [];
    const joins = () => plain.subscribe('PRICES', (text) => texts.push(text));
    let answer: Awaited<ReturnType<typeof publishTransaction>> | undefined;
    for (let attempt = 0; answer?.receipt === undefined && attempt < 50; attempt++) {
      await plain.unsubscribe();
      answer = await publishTransaction(interrupted('MULTI', joins), callWith());
    }
    // Both he and our subscriber hear what is sent one by one.
    expect(answer).toMatchObject({ receipt: { receivers: 2 }, isOurs: false });
    await plain.ping();
    expect(texts.map((text) => JSON.parse(text).seq)).toEqual(
      Array.from({ length: COUNT }, (_, index) => 42 + index),
    );
    expect(await state()).toMatchObject({ head: { seq: '61', call: '' }, heard: 2 * COUNT });
    const behind = callWith({ after: { call: 'b', seq: 61 } });
    expect((await publishTransaction(client, behind)).receipt).toBeUndefined();
  });
});

it('what is refused in the middle is told as unknown', async () => {
  await admin.set('tickbus:{PRICES}:last', 'no hash');
  await expect(published(callWith)).rejects.toMatchObject({ code: 'TICKBUS_OUTCOME_UNKNOWN' });
});

it('goes out by a script where it is small, or keeps a history', () => {
  const terms = {
    call: 'b',
    after: { call: 'a', end: END, isRequired: true },
    fence: undefined,
    stamp: 1,
    way: 'transaction' as const,
  };
  const scriptFor = (size: number, change = {}) =>
    publishCall({ ...CHANNEL, ...change }, batch(size), terms).script;
  expect([1, 3, 4, 15, 16].map((size) => scriptFor(size))).toEqual([
    'publishBatch',
    'publishBatch',
    'publishFrame',
    'publishFrame',
    'transaction',
  ]);
  expect(scriptFor(16, { kind: 'event', history: 10 })).toBe('publishFrame');
  const large = Array.from({ length: 16 }, () => outgoing({ text: 'x'.repeat(600) }));
  expect(publishCall(CHANNEL, large, terms).script).toBe('publishBatch');
});

// What a transaction does for a user whose rights change while it is under way, or reach some of its keys only.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisClient } from '../../adapters/redis/client.ts';
import { publishCall, type TransactionCall } from '../../adapters/redis/publish-call.ts';
import { publishTransaction } from '../../adapters/redis/publish-transaction.ts';
import type { ChannelSpec } from '../../core/channel.ts';
import { batch } from '../contracts/transport-bench.ts';

const CHANNEL: ChannelSpec = { name: 'PRICES', kind: 'state', history: 0 };
const HEAD = 'tickbus:{PRICES}:head';
const LEASE = 'tickbus:{PRICES}:lease';
const LAST = 'tickbus:{PRICES}:last';
const EPOCH = 1_700_000_000_000;
const END = { epoch: EPOCH, seq: 41 };
const COUNT = 20;

let redis: LocalRedis;
let admin: ReturnType<typeof newClient>;
const clients: ReturnType<typeof newClient>[] = [];
let users = 0;

const newClient = (url = redis.url) => createClient({ url, RESP: 3, commandOptions: { timeout: 0 } });

async function connected(url?: string) {
  const one = newClient(url).on('error', () => {});
  clients.push(one);
  return one.connect();
}

beforeAll(async () => {
  redis = await startLocalRedis();
  admin = await newClient().connect();
});
afterAll(async () => {
  admin.destroy();
  await redis.kill();
});
beforeEach(untouched);
afterEach(() => {
  for (const one of clients.splice(0)) one.destroy();
});

async function untouched() {
  await admin.flushAll();
  await admin.hSet(HEAD, { ...END, call: 'a' });
  await admin.hSet(LAST, 'key-of-before', 'before');
}

/** A user of its own with all rights but for these rules. */
async function userWith(...rules: string[]) {
  const name = `user-${++users}`;
  await admin.aclSetUser(name, ['reset', 'on', '>pw', '~*', '&*', '+@all', ...rules]);
  const by = (await connected(redis.url.replace('//', `//${name}:pw@`))) as unknown as RedisClient;
  return { by, change: (...changes: string[]) => admin.aclSetUser(name, changes) };
}

function callWith(fence?: number): TransactionCall {
  const after = { call: 'a', end: END, isRequired: true };
  const terms = { call: 'b', after, fence, stamp: Date.now(), way: 'transaction' as const };
  return publishCall(CHANNEL, batch(COUNT), terms) as TransactionCall;
}

/** The client, with something done once before the command of this number, from 0 on: MULTI, TAKE, HSET, PUBLISH_TAKEN, DEL, EXEC. */
function interrupted(by: RedisClient, at: number, action: () => Promise<unknown>): RedisClient {
  let sent = 0;
  let turn: Promise<unknown> = Promise.resolve();
  return {
    sendCommand: (command: string[]) => {
      const isThis = sent++ === at;
      turn = turn.then(() => (isThis ? action() : undefined));
      const reply = turn.then(() => by.sendCommand(command));
      turn = reply.catch(() => {});
      return reply;
    },
  } as unknown as RedisClient;
}

/** Whether the head moved, and which last values there are. */
async function state() {
  const { seq, call } = await admin.hGetAll(HEAD);
  const kept = Object.keys(await admin.hGetAll(LAST)).sort();
  return { seq, call, kept };
}
const UNTOUCHED = { seq: '41', call: 'a', kept: ['key-of-before'] };

/** What one could not remove any more who lost his rights, the next one does. */
async function expectNothingLeftBehind() {
  const { seq = '', call = '' } = await admin.hGetAll(HEAD);
  const end = { epoch: EPOCH, seq: Number(seq) };
  await admin.del(LEASE);
  const by = (await connected()) as unknown as RedisClient;
  for (let attempt = 0; attempt < 50; attempt++) {
    const terms = { call: 'c', after: { call, end, isRequired: true }, fence: undefined, stamp: Date.now() };
    const next = publishCall(CHANNEL, batch(COUNT), { ...terms, way: 'transaction' }) as TransactionCall;
    if ((await publishTransaction(by, next)).receipt !== undefined) break;
  }
  expect((await admin.keys('*')).sort()).toEqual([HEAD, LAST]);
  const kept = [...Array.from({ length: COUNT }, (_, n) => `key-${n}`), 'key-of-before'];
  expect(Object.keys(await admin.hGetAll(LAST)).sort()).toEqual(kept.sort());
}

describe('rights that are taken away in the middle', () => {
  it.each([[['-multi', '-exec']], [['-@transaction']]] as const)(
    '%j: what was published is not told as not published',
    async (rules) => {
      const { by, change } = await userWith();
      const told = await publishTransaction(
        interrupted(by, 0, () => change(...rules)),
        callWith(),
      ).then(
        ({ receipt }) => (receipt === undefined ? 'not published' : 'published'),
        ({ code }) => code,
      );
      const { call } = await state();
      expect({ call, told }).not.toEqual({ call: 'b', told: 'not published' });
    },
  );

  it('multi: who loses the lease in the middle publishes nothing', async () => {
    const { by, change } = await userWith();
    await admin.set(LEASE, '7');
    const sent = interrupted(
      interrupted(by, 0, () => change('-multi')),
      3,
      () => admin.set(LEASE, '8'),
    );
    await publishTransaction(sent, callWith(7)).catch(() => {});
    expect(await state()).toEqual(UNTOUCHED);
  });

  it('multi: a publisher that ends in the middle leaves the last values where they are', async () => {
    const { by, change } = await userWith();
    const sent = interrupted(
      interrupted(by, 0, () => change('-multi')),
      3,
      async () => (by as unknown as ReturnType<typeof newClient>).destroy(),
    );
    await publishTransaction(sent, callWith()).catch(() => {});
    expect(await state()).toEqual(UNTOUCHED);
  });

  const KEYS = ['head', 'last', 'lease', 'taken', 'work', 'history'].map((key) => `~tickbus:{PRICES}:${key}`);
  const COMMANDS = [
    'del',
    'get',
    'rename',
    'hset',
    'set',
    'eval',
    'publish',
    'hmget',
    'time',
    'hlen',
    'pubsub',
    'exec',
    'multi',
  ];
  const GROUPS = ['all', 'write', 'read', 'scripting', 'pubsub', 'keyspace', 'dangerous'];
  const LOST: string[][] = [
    ...COMMANDS.map((command) => [`-${command}`]),
    ...GROUPS.map((group) => [`-@${group}`]),
    ['resetchannels'],
    ['resetchannels', '&PRICES'],
    ['resetchannels', '&tickbus:*'],
    ['resetkeys'],
    ...KEYS.flatMap((gone) => {
      const others = ['resetkeys', ...KEYS.filter((key) => key !== gone)];
      return [others, [...others, `%W${gone}`], [...others, `%R${gone}`]];
    }),
  ];

  it.each(LOST.map((rules) => [rules] as const))('all or nothing, nothing left behind: %j', async (rules) => {
    for (let at = 0; at <= 5; at++) {
      await untouched();
      const { by, change } = await userWith();
      const told = await publishTransaction(
        interrupted(by, at, () => change(...rules)),
        callWith(),
      ).then(
        ({ receipt }) => (receipt === undefined ? 'not published' : 'published'),
        ({ code, message }) => code ?? message,
      );
      const found = await state();
      const isPublished = found.call === 'b';
      const expected = isPublished
        ? {
            seq: '61',
            call: 'b',
            kept: [...Array.from({ length: COUNT }, (_, n) => `key-${n}`), 'key-of-before'].sort(),
          }
        : UNTOUCHED;
      expect({ at, ...found }).toEqual({ at, ...expected });
      if (isPublished) expect({ at, told }).not.toEqual({ at, told: 'not published' });
      else expect({ at, told }).not.toEqual({ at, told: 'published' });
      await expectNothingLeftBehind();
    }
  });
});

describe('rights that reach some of the keys only: the last values stay', () => {
  it.each([
    ['-get', '(+get ~tickbus:{PRICES}:lease)'],
    ['-hset', '(+hset ~tickbus:{PRICES}:head)'],
    ['-hset', '(+hset ~tickbus:{PRICES}:work)'],
    ['-set', '(+set ~tickbus:{PRICES}:lease)'],
    ['-hmget', '(+hmget ~tickbus:{PRICES}:lease)'],
    ['-hlen', '(+hlen ~tickbus:{PRICES}:head)'],
    ['-rename', '(+rename %RW~tickbus:{PRICES}:last %W~tickbus:{PRICES}:work)'],
    ['-del', '(+del ~tickbus:{PRICES}:taken)'],
  ])('%s %s', async (...rules) => {
    const { by } = await userWith(...rules);
    expect((await publishTransaction(by, callWith())).receipt).toBeUndefined();
    expect(await state()).toEqual(UNTOUCHED);
  });
});

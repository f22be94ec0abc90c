// What a transaction does for a user whose rights change while it is under way, or reach some of its keys only.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisClient } from '../../adapters/redis/client.ts';
import { publishTransaction } from '../../adapters/redis/publish-transaction.ts';
import {
  COUNT,
  callWith,
  EPOCH,
  HEAD,
  LAST,
  LEASE,
  published,
  TransactionWorld,
} from './transaction-world.ts';

const world = new TransactionWorld();
let admin: TransactionWorld['admin'];
let users = 0;

beforeAll(async () => {
  await world.open();
  admin = world.admin;
});
afterAll(() => world.close());
beforeEach(() => world.reset());
afterEach(() => world.endClients());

/** A user of its own with all rights but for these rules. */
async function userWith(...rules: string[]) {
  const name = `user-${++users}`;
  await admin.aclSetUser(name, ['reset', 'on', '>pw', '~*', '&*', '+@all', ...rules]);
  const by = await world.publishing(name);
  return { by, change: (...changes: string[]) => admin.aclSetUser(name, changes) };
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
  const { seq, call = '' } = await admin.hGetAll(HEAD);
  await admin.del(LEASE);
  const after = { call, epoch: EPOCH, seq: Number(seq) };
  await published(await world.publishing(), { call: 'c', after });
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
    await publishTransaction(sent, callWith({ fence: 7 })).catch(() => {});
    expect(await state()).toEqual(UNTOUCHED);
  });

  it('multi: a publisher that ends in the middle leaves the last values where they are', async () => {
    const { by, change } = await userWith();
    const sent = interrupted(
      interrupted(by, 0, () => change('-multi')),
      3,
      async () => by.destroy(),
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
      await world.reset();
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

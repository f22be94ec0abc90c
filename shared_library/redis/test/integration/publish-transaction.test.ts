// A batch as one transaction: what it takes to pass, that nothing is done otherwise, and who hears it.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RedisClient } from '../../adapters/redis/client.ts';
import { publishCall } from '../../adapters/redis/publish-call.ts';
import { EARLIEST_MS } from '../../adapters/redis/publish-scripts.ts';
import { publishTransaction } from '../../adapters/redis/publish-transaction.ts';
import type { ChannelSpec } from '../../core/channel.ts';
import { batch, Heard, messagesIn, outgoing } from '../contracts/transport-bench.ts';
import {
  CHANNEL,
  type Change,
  COUNT,
  callWith,
  END,
  EPOCH,
  FRAMES,
  HEAD,
  LAST,
  LEASE,
  published,
  TransactionWorld,
} from './transaction-world.ts';

const world = new TransactionWorld();
let admin: TransactionWorld['admin'];
/** The one that publishes; one that listens as our subscribers do. */
let client: RedisClient;
let ours: TransactionWorld['admin'];
let heard: Heard;

beforeAll(async () => {
  await world.open();
  admin = world.admin;
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.reset();
  client = await world.publishing();
  ours = await world.connected();
  heard = new Heard();
  const listener = (frame: Buffer) => heard.add(...messagesIn(frame));
  await ours.subscribe(['PRICES', FRAMES, 'tickbus:{PRICES}:ours'], listener, true);
});
afterEach(() => world.endClients());

/** All that a transaction can have changed; a reply stands behind what was pushed before it. */
async function state() {
  await ours.ping();
  const head = await admin.hGetAll(HEAD);
  const keys = (await admin.keys('*')).filter((key) => key !== LEASE).sort();
  return { head: { ...head }, kept: await admin.hVals(LAST), keys, heard: heard.all.length };
}

const UNTOUCHED = {
  head: { epoch: String(EPOCH), seq: '41', call: 'a' },
  kept: ['before'],
  keys: [HEAD, LAST],
  heard: 0,
};

describe('passes', () => {
  it('where all is as the call expects: one frame for our subscribers, each last value, and the next place', async () => {
    const { receipt, isOurs } = await published(client);
    expect(receipt).toEqual({ first: { epoch: EPOCH, seq: 42 }, receivers: 1 });
    expect(isOurs).toBe(true);
    const { head, kept, keys } = await state();
    expect(head).toEqual({ epoch: String(EPOCH), seq: '61', call: 'b' });
    expect(keys).toEqual([HEAD, LAST]);
    expect(heard.all.map(({ seq }) => seq)).toEqual(Array.from({ length: COUNT }, (_, index) => 42 + index));
    expect(heard.all).toHaveLength(COUNT);
    expect(kept.sort()).toEqual(['before', ...heard.all.map((message) => JSON.stringify(message))].sort());
  });

  it('where there are no last values yet, or one message of a batch has the key of another', async () => {
    await admin.del(LAST);
    const messages = Array.from({ length: COUNT }, (_, index) => outgoing({ index }, `key-${index % 3}`));
    await published(client, { messages });
    const kept = (await admin.hVals(LAST)).map((text) => JSON.parse(text).data.index);
    expect(kept.sort()).toEqual([17, 18, 19]);
  });

  it('under the lease that is held', async () => {
    await admin.set(LEASE, '7');
    expect((await published(client, { fence: 7 })).receipt?.first).toEqual({ epoch: EPOCH, seq: 42 });
  });

  it('to everybody on a channel that is framed in batches', async () => {
    const plain = await world.connected();
    const frames: string[] = [];
    await plain.subscribe('PRICES', (frame) => frames.push(frame));
    const framed: ChannelSpec = { ...CHANNEL, framing: 'batch' };
    expect((await published(client, { channel: framed })).receipt?.receivers).toBe(2);
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

  it('while the server is out of memory', async () => {
    await admin.configSet('maxmemory', '1');
    expect((await publishTransaction(client, callWith())).receipt).toBeUndefined();
    await admin.configSet('maxmemory', '0');
    expect(await state()).toEqual(UNTOUCHED);
  });

  // Also where the lease is another's: what ought to refuse the caller must not be passed over because it is not allowed itself.
  it.each(['get', 'hmget', 'time', 'set', 'rename', 'eval', 'hset', 'hlen', 'publish', 'del', 'exec'])(
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
      const half = await world.publishing('half');
      for (const lease of [undefined, '8']) {
        if (lease !== undefined) await admin.set(LEASE, lease);
        expect((await publishTransaction(half, callWith())).receipt).toBeUndefined();
        expect(await state()).toEqual(UNTOUCHED);
      }
    },
  );

  it('for a user who may not publish on the channel', async () => {
    await admin.sendCommand(['ACL', 'SETUSER', 'mute', 'reset', 'on', '>pw', '~*', `&${FRAMES}`, '+@all']);
    const mute = await world.publishing('mute');
    expect((await publishTransaction(mute, callWith())).receipt).toBeUndefined();
    expect(await state()).toEqual(UNTOUCHED);
  });

  it('for a user who may not use multi, and does not hold the lease', async () => {
    await admin.set(LEASE, '8');
    await admin.sendCommand('ACL SETUSER alone reset on >pw ~* &* +@all -multi'.split(' '));
    const alone = await world.publishing('alone');
    await expect(publishTransaction(alone, callWith())).rejects.toMatchObject({
      code: 'TICKBUS_OUTCOME_UNKNOWN',
    });
    expect(await state()).toEqual(UNTOUCHED);
  });

  it('where the last values are no hash', async () => {
    await admin.set(LAST, 'no hash');
    expect((await publishTransaction(client, callWith())).receipt).toBeUndefined();
    expect(await admin.get(LAST)).toBe('no hash');
    expect((await admin.keys('*')).sort()).toEqual([HEAD, LAST]);
  });
});

describe('a key of another type', () => {
  const types: Readonly<Record<string, string[]>> = {
    string: ['SET', 'x'],
    list: ['RPUSH', 'x'],
    set: ['SADD', 'x'],
    zset: ['ZADD', '1', 'x'],
    hash: ['HSET', 'x', 'y'],
    stream: ['XADD', '*', 'x', 'y'],
  };
  const keys = ['head', 'last', 'lease', 'taken', 'work'];
  it.each(keys.flatMap((key) => Object.keys(types).map((type) => [key, type] as const)))(
    '%s is a %s',
    async (key, type) => {
      const [command = '', ...values] = types[type] ?? [];
      const name = `tickbus:{PRICES}:${key}`;
      await admin.del(name);
      await admin.sendCommand([command, name, ...values]);
      const before = await admin.dump(name);
      const passes = ['taken', 'work'].includes(key) || (key === 'last' && type === 'hash');
      if (passes) await published(client);
      else expect((await publishTransaction(client, callWith())).receipt).toBeUndefined();
      expect((await admin.keys('*')).filter((one) => /:(taken|work)$/.test(one))).toEqual([]);
      if (!passes) expect(await admin.dump(name)).toEqual(before);
      if (key !== 'last') expect(await admin.hExists(LAST, 'key-of-before')).toBe(1);
    },
  );
});

describe('publishes one by one', () => {
  it.each(['PRICES', 'P*', 'elsewhere.*', FRAMES])('where a plain client listens to %s', async (name) => {
    const plain = await world.connected();
    const texts: string[] = [];
    const listener = (text: string) => texts.push(text);
    await (name.includes('*') ? plain.pSubscribe(name, listener) : plain.subscribe(name, listener));
    const messages = Array.from({ length: COUNT }, (_, index) =>
      outgoing({ text: 'ünï 漢字 💹'.repeat(index % 3) }, `key-${index}`),
    );
    const { receipt, isOurs } = await published(client, { messages });
    expect(isOurs).toBe(false);
    await plain.ping();
    await ours.ping();
    const numbers = Array.from({ length: COUNT }, (_, index) => 42 + index);
    expect(heard.all.map(({ seq }) => seq)).toEqual(numbers);
    expect(receipt?.receivers).toBe(name.startsWith('P') ? 2 : 1);
    if (name.startsWith('P')) expect(texts.map((one) => JSON.parse(one))).toEqual(heard.all);
    expect((await state()).kept.sort()).toEqual(
      ['before', ...heard.all.map((message) => JSON.stringify(message))].sort(),
    );
  });
});

it('goes out by a script where it is small, or of events', () => {
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
  expect(scriptFor(16, { kind: 'event' })).toBe('publishFrame');
  const large = Array.from({ length: 16 }, () => outgoing({ text: 'x'.repeat(600) }));
  expect(publishCall(CHANNEL, large, terms).script).toBe('publishBatch');
});

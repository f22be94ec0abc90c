// Keys of tickbus that another program has written to: every operation fails with the key and the remedy, and works
// again once the key is deleted.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { errorOf, silentLogger as logger, RecordingLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedisAdmin } from '../../admin.ts';
import { defineChannel } from '../../channel/channel.ts';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisLease, RedisPublisher, RedisSubscriber, type SubscriberStatus } from '../../index.ts';
import { channelKeys } from '../../transport/redis/keys.ts';
import { STATE } from './exclusive-writer.fixture.ts';
import { closeAfterEach, connectPlainClient, type PlainClient, until } from './integration.fixture.ts';

const COMMANDS = defineChannel('COMMANDS', { kind: 'command', messages: STATE.messages });
const { head, last } = channelKeys(STATE);
const closing = closeAfterEach();
let redis: LocalRedis;
let admin: PlainClient;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());
beforeEach(async () => {
  admin = await connectPlainClient(redis.url, closing);
  await admin.flushAll();
});

const FOREIGN: readonly (readonly [name: string, poison: () => Promise<unknown>])[] = [
  ['a text as epoch', () => admin.hSet(head, 'epoch', 'abc')],
  ['an empty epoch', () => admin.hSet(head, 'epoch', '')],
  ['a negative epoch', () => admin.hSet(head, 'epoch', '-5')],
  ['a fraction as epoch', () => admin.hSet(head, 'epoch', '1.5')],
  ['a huge epoch', () => admin.hSet(head, 'epoch', '9'.repeat(300))],
  ['an epoch in another notation', () => admin.hSet(head, 'epoch', '0x7f')],
  ['a text as sequence', () => admin.hSet(head, 'seq', 'abc')],
  ['a text as number of partitions', () => admin.hSet(head, 'partitions', 'abc')],
  ['no partitions', () => admin.hSet(head, 'partitions', '0')],
  ['too many partitions', () => admin.hSet(head, 'partitions', '257')],
  ['a head of another type', () => admin.multi().del(head).set(head, 'text').exec()],
];

const NAMES_KEY = {
  code: 'TICKBUS_SERVER_ERROR',
  field: head,
  message: expect.stringMatching(
    /tickbus:\{STATE\}:head .*stop it, then delete the key \(DEL tickbus:\{STATE\}:head\)/,
  ),
};

const loggedErrors = ({ lines }: RecordingLogger) =>
  lines.flatMap(({ fields }) => ('err' in fields ? [fields.err] : []));

describe.each(FOREIGN)('%s', (_, poison) => {
  beforeEach(async () => {
    await admin.hSet(head, { epoch: '1', seq: '0' });
    await poison();
  });

  it('publish rejects and stores nothing, and works once the key is deleted', async () => {
    await using publisher = new RedisPublisher({ url: redis.url, logger });
    expect(await errorOf(publisher.publish(STATE, { key: 'a', n: 1 }))).toMatchObject(NAMES_KEY);
    expect(await admin.exists(last)).toBe(0);
    await admin.del(head);
    expect((await publisher.publish(STATE, { key: 'a', n: 2 })).position?.seq).toBe(1);
  });

  it('a new subscriber reports recovery_failed, and receives once the key is deleted', async () => {
    await using subscriber = new RedisSubscriber({ url: redis.url, logger });
    const received: number[] = [];
    const statuses: SubscriberStatus[] = [];
    subscriber.on('status', (status) => void statuses.push(status));
    subscriber.subscribe(STATE, ({ data }) => void received.push(data.n));
    await subscriber.startListening();
    const failure = statuses.find(({ type }) => type === 'recovery_failed');
    expect(failure).toMatchObject({ channel: 'STATE', error: NAMES_KEY });
    await admin.del(head);
    await using publisher = new RedisPublisher({ url: redis.url, logger });
    await publisher.publish(STATE, { key: 'a', n: 1 });
    await until(() => received.includes(1));
  });

  it('no lease is granted, the log says why, and it is granted once the key is deleted', async () => {
    const log = new RecordingLogger();
    await using lease = new RedisLease({ url: redis.url, channel: STATE, ttlMs: 300, logger: log });
    await lease.start();
    await until(() => loggedErrors(log).length > 0);
    expect(loggedErrors(log)[0]).toMatchObject(NAMES_KEY);
    expect(await admin.exists(channelKeys(STATE).lease)).toBe(0);
    await admin.del(head);
    await until(() => lease.holds);
  });

  it('admin names the fault of the channel, and shows the others', async () => {
    await using inspector = new RedisAdmin({ url: redis.url, logger });
    await inspector.connect();
    const [state, other] = await inspector.channels(['STATE', 'OTHER']);
    expect(state).toMatchObject({ position: undefined, fault: expect.stringContaining(`key ${head} has`) });
    expect(other).toMatchObject({ channel: 'OTHER', fault: undefined });
  });
});

it('a live subscriber notices a foreign head at its next check, and continues once the key is deleted', async () => {
  await using connection = new RedisConnection({ url: redis.url, logger });
  await using publisher = new RedisPublisher({ connection });
  await publisher.publish(STATE, { key: 'a', n: 1 });
  await using subscriber = new RedisSubscriber({ connection, logger });
  const received: number[] = [];
  const statuses: SubscriberStatus[] = [];
  subscriber.on('status', (status) => void statuses.push(status));
  subscriber.subscribe(STATE, ({ data }) => void received.push(data.n));
  await subscriber.startListening();
  await admin.hSet(head, 'epoch', 'abc');
  await until(() => statuses.some(({ type }) => type === 'recovery_failed'));
  expect(statuses.find(({ type }) => type === 'recovery_failed')).toMatchObject({ error: NAMES_KEY });
  expect(subscriber.status(STATE)?.position?.seq).toBe(1);
  await admin.del(head);
  await publisher.publish(STATE, { key: 'a', n: 2 });
  await until(() => received.includes(2));
});

it('a holder whose head becomes foreign loses the lease, and gets it again once the key is deleted', async () => {
  const log = new RecordingLogger();
  await using lease = new RedisLease({ url: redis.url, channel: STATE, ttlMs: 300, logger: log });
  await lease.start();
  await until(() => lease.holds);
  await admin.hSet(head, 'epoch', 'abc');
  await until(() => !lease.holds);
  // The first logged error can be about the link, which drops.
  const named = () => loggedErrors(log).find((error) => (error as TickbusError).field !== undefined);
  await until(() => named() !== undefined);
  expect(named()).toMatchObject(NAMES_KEY);
  await admin.del(head);
  await until(() => lease.holds);
});

it.each(['token', 'until', 'ttl'])('a foreign %s grants no lease, of either kind', async (field) => {
  await using connection = new RedisConnection({ url: redis.url, logger });
  await connection.publishing.connect();
  for (const channel of [STATE, COMMANDS]) {
    const key = channelKeys(channel).head;
    await admin.hSet(key, field, 'abc');
    const lease = connection.publishing.lease(channel);
    await lease.connect();
    expect(await errorOf(lease.acquire(300))).toMatchObject({ code: 'TICKBUS_SERVER_ERROR', field: key });
    expect(await admin.exists(channelKeys(channel).lease)).toBe(0);
  }
});

it('last values and demand of another type are named', async () => {
  await using publisher = new RedisPublisher({ url: redis.url, logger });
  await admin.set(last, 'text');
  expect(await errorOf(publisher.publish(STATE, { key: 'a', n: 1 }))).toMatchObject({ field: last });
  const { demand } = channelKeys(CHANNELS.PRICE_DATA);
  await admin.set(demand, 'text');
  expect(await errorOf(publisher.wanted(CHANNELS.PRICE_DATA))).toMatchObject({ field: demand });
});

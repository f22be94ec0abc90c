// Delivery mode: batches for tickbus subscribers, single messages as soon as a plain client may listen.

import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { leasedPublisher } from '@tickbus/test-kit/leases';
import { Random } from '@tickbus/test-kit/random';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import {
  defineChannel,
  RedisConnection,
  type RedisPublisher,
  RedisSubscriber,
  type RedisSubscriberOptions,
} from '../../index.ts';
import {
  changeUser,
  closeAfterEach,
  connectPlainClient,
  createUser,
  type PlainClient,
} from './integration.fixture.ts';

const messages = { tick: z.object({ symbol: z.string(), n: z.number() }) };

let redis: LocalRedis;
let admin: PlainClient;
const closing = closeAfterEach();
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());
beforeEach(async () => {
  admin = await connectPlainClient(redis.url, closing);
});

/** A tickbus subscriber, and the number `n` of each message it received. */
async function tickbusSubscriber(channel: TickChannel, options: RedisSubscriberOptions = { url: redis.url }) {
  const subscriber = new RedisSubscriber(options);
  const received: number[] = [];
  const gaps: unknown[] = [];
  subscriber.on('gap', (gap) => gaps.push(gap));
  const waiting: { n: number; resolve: () => void }[] = [];
  // `where` sees every message, also those that are conflated later.
  const where = ({ data }: { data: { n: number } }) => {
    received.push(data.n);
    for (const { n, resolve } of waiting) if (data.n === n) resolve();
    return false;
  };
  subscriber.subscribe(channel, () => {}, { where });
  await subscriber.startListening();
  const untilReceived = (n: number) =>
    new Promise<void>((resolve) => (received.includes(n) ? resolve() : waiting.push({ n, resolve })));
  return { received, gaps, untilReceived, [Symbol.asyncDispose]: () => subscriber.close() };
}

type TickChannel = ReturnType<typeof newChannel>;
let channels = 0;
const newChannel = () =>
  defineChannel(`DELIVERY_MODE_${++channels}`, { kind: 'state', key: 'symbol', messages });

/** Each `publish` sends `count` messages at once. Their numbers continue from call to call. */
function countedStream(publisher: RedisPublisher, channel: TickChannel) {
  let n = 0;
  return {
    get count() {
      return n;
    },
    publish: (count: number) =>
      Promise.all(
        Array.from({ length: count }, () => publisher.publish(channel, { symbol: `S${n % 50}`, n: n++ })),
      ),
  };
}

/** How often the server executed the command. */
async function callsOf(command: string): Promise<number> {
  const stats = await admin.info('commandstats');
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
}

/** Publishes until the command statistics of the server show that messages go out in frames. */
async function untilFramed(publish: (count: number) => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 2_000; attempt++) {
    const before = await callsOf('publish');
    await publish(100);
    if ((await callsOf('publish')) - before < 50) return;
  }
  throw new Error('The publisher does not switch to frames.');
}

it('sends frames to tickbus subscribers, and single messages as soon as a plain client listens', async () => {
  const channel = newChannel();
  await using subscriber = await tickbusSubscriber(channel);
  await using holder = await leasedPublisher(channel, redis.url);
  const stream = countedStream(holder.publisher, channel);
  await untilFramed(stream.publish);

  for (const pattern of [false, true]) {
    const plain = await connectPlainClient(redis.url, closing);
    const received: number[] = [];
    const listener = (text: string) => received.push(JSON.parse(text).data.n);
    const name = pattern ? `${channel.name}*` : channel.name;
    await (pattern ? plain.pSubscribe(name, listener) : plain.subscribe(name, listener));
    const first = stream.count;
    await stream.publish(1_000);
    await plain.ping();
    expect(received).toEqual(Array.from({ length: 1_000 }, (_, index) => first + index));
    plain.destroy();
    await untilFramed(stream.publish);
  }

  await subscriber.untilReceived(stream.count - 1);
  expect(subscriber.received).toEqual(Array.from({ length: stream.count }, (_, n) => n));
  expect(subscriber.gaps).toEqual([]);
});

it('loses no message for any client while plain clients subscribe and unsubscribe', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.info(`seed ${seed}`);
  const random = new Random(seed);
  const channel = newChannel();
  await using subscriber = await tickbusSubscriber(channel);
  await using holder = await leasedPublisher(channel, redis.url);
  const stream = countedStream(holder.publisher, channel);
  await untilFramed(stream.publish);
  const plain = await connectPlainClient(redis.url, closing);
  let isDone = false;
  const plainSubscriptions = (async () => {
    const received: number[][] = [];
    while (!isDone) {
      const sequence: number[] = [];
      await plain.subscribe(channel.name, (text) => sequence.push(JSON.parse(text).seq));
      for (let pings = random.int(0, 19); pings >= 0; pings--) await plain.ping();
      await plain.unsubscribe(channel.name);
      received.push(sequence);
      for (let pings = random.int(0, 59); pings >= 0; pings--) await admin.ping();
    }
    return received;
  })();
  for (let round = 0; round < 60; round++) await stream.publish(random.int(100, 1_599));
  isDone = true;

  const sequences = await plainSubscriptions;
  expect(sequences.flat().length).toBeGreaterThan(0);
  for (const sequence of sequences)
    expect(sequence).toEqual(Array.from(sequence, (_, index) => (sequence[0] ?? 0) + index));
  await subscriber.untilReceived(stream.count - 1);
  expect(subscriber.received).toEqual(Array.from({ length: stream.count }, (_, n) => n));
  expect(subscriber.gaps).toEqual([]);
});

it('treats a subscriber without access to the frame channel as a plain client', async () => {
  const channel = newChannel();
  const url = await createUser(redis, 'narrow', `&${channel.name}`, '~tickbus:*', '+@all');
  await using narrow = await tickbusSubscriber(channel, { url });
  await using subscriber = await tickbusSubscriber(channel);
  await using holder = await leasedPublisher(channel, redis.url);
  const stream = countedStream(holder.publisher, channel);
  for (let round = 0; round < 20; round++) await stream.publish(100);
  for (const { received, untilReceived } of [narrow, subscriber]) {
    await untilReceived(1_999);
    expect(received).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
  }
});

it('loses no message when a denied subscriber shares its connection with a permitted one', async () => {
  const channel = newChannel();
  const channels = [`&${channel.name}`, '&FEED_STATUS', '&INSTRUMENT_STATUS'];
  const url = await createUser(redis, 'bot', '~*', ...channels, '+@all');
  await using holder = await leasedPublisher(channel, redis.url);
  await using connection = new RedisConnection({ url });
  await using early = await tickbusSubscriber(channel, { connection });
  await changeUser(redis, 'bot', 'allchannels');
  await using late = await tickbusSubscriber(channel, { connection });
  const stream = countedStream(holder.publisher, channel);
  for (let round = 0; round < 40; round++) await stream.publish(50);
  for (const { received, gaps, untilReceived } of [early, late]) {
    await untilReceived(1_999);
    expect(received).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
    expect(gaps).toEqual([]);
  }
});

it('publishes by script on a server with MULTI but without EXEC', async () => {
  const server = await startLocalRedis({ args: ['--rename-command', 'EXEC', ''] });
  const channel = newChannel();
  await using subscriber = await tickbusSubscriber(channel, { url: server.url });
  {
    await using holder = await leasedPublisher(channel, server.url);
    expect(holder.lease.writer).toBeUndefined();
    const stream = countedStream(holder.publisher, channel);
    for (let round = 0; round < 40; round++) await stream.publish(50);
  }
  await subscriber.untilReceived(1_999);
  expect(subscriber.received).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
  await server.kill();
});

it('sends single messages while a replica is connected, because the server cannot count its listeners', async () => {
  const channel = newChannel();
  await using holder = await leasedPublisher(channel, redis.url);
  await using subscriber = await tickbusSubscriber(channel);
  const stream = countedStream(holder.publisher, channel);
  await untilFramed(stream.publish);
  // The replica loads no dump from disk: test servers share a folder, and a server would load any dump it finds there.
  const args = ['--replicaof', redis.host, String(redis.port), '--repl-diskless-load', 'on-empty-db'];
  const replica = await startLocalRedis({ port: await freePort(), args });
  const plain = await connectPlainClient(replica.url, closing);
  const received: number[] = [];
  await plain.subscribe(channel.name, (text) => received.push(JSON.parse(text).data.n));
  while (!(await admin.info('replication')).includes('state=online')) await admin.ping();
  const first = stream.count;
  await stream.publish(1_000);
  const last = stream.count - 1;
  while (received.at(-1) !== last) await plain.ping();
  expect(received.slice(-1_000)).toEqual(Array.from({ length: 1_000 }, (_, index) => first + index));
  await subscriber.untilReceived(last);
  expect(subscriber.received).toEqual(Array.from({ length: last + 1 }, (_, n) => n));
  plain.destroy();
  await replica.kill();
});

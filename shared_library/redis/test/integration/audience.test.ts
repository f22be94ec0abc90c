// Delivery mode: batches for tickbus subscribers, single messages as soon as a plain client may listen.

import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { leasedPublisher } from '@tickbus/test-kit/leases';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import {
  defineChannel,
  RedisConnection,
  type RedisPublisher,
  RedisSubscriber,
  type RedisSubscriberOptions,
} from '../../index.ts';

const messages = { tick: z.object({ symbol: z.string(), n: z.number() }) };

let redis: LocalRedis;
let admin: PlainClient;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());
beforeEach(async () => {
  admin = await plainClient();
});
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
});

type PlainClient = ReturnType<typeof newClient>;
const clients: PlainClient[] = [];
const newClient = (url: string) => createClient({ url }).on('error', () => {});

async function plainClient(url = redis.url): Promise<PlainClient> {
  const client = newClient(url);
  clients.push(client);
  await client.connect();
  return client;
}

/** A tickbus subscriber and the counter of each message it received. */
async function ourSubscriber(channel: Ticks, options: RedisSubscriberOptions = { url: redis.url }) {
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
  const last = (n: number) =>
    new Promise<void>((resolve) => (received.includes(n) ? resolve() : waiting.push({ n, resolve })));
  return { received, gaps, last, [Symbol.asyncDispose]: () => subscriber.close() };
}

type Ticks = ReturnType<typeof newChannel>;
let channels = 0;
const newChannel = () => defineChannel(`AUDIENCE_${++channels}`, { kind: 'state', key: 'symbol', messages });

/** Publishes the given number of messages at once, with one counter for all calls. */
function counting(publisher: RedisPublisher, channel: Ticks) {
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
async function calls(command: string): Promise<number> {
  const stats = await admin.info('commandstats');
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
}

/** Publishes until the server counts that messages go out in frames. */
async function untilFramed(publish: (count: number) => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 2_000; attempt++) {
    const before = await calls('publish');
    await publish(100);
    if ((await calls('publish')) - before < 50) return;
  }
  throw new Error('The publisher does not switch to frames.');
}

it('sends frames to tickbus subscribers, and single messages from the first one a plain client can receive', async () => {
  const channel = newChannel();
  await using ours = await ourSubscriber(channel);
  await using holder = await leasedPublisher(channel, redis.url);
  const stream = counting(holder.publisher, channel);
  await untilFramed(stream.publish);

  for (const pattern of [false, true]) {
    const plain = await plainClient();
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

  await ours.last(stream.count - 1);
  expect(ours.received).toEqual(Array.from({ length: stream.count }, (_, n) => n));
  expect(ours.gaps).toEqual([]);
});

it('loses no message for any client while plain clients subscribe and unsubscribe', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.info(`seed ${seed}`);
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const channel = newChannel();
  await using ours = await ourSubscriber(channel);
  await using holder = await leasedPublisher(channel, redis.url);
  const stream = counting(holder.publisher, channel);
  await untilFramed(stream.publish);
  const plain = await plainClient();
  let isDone = false;
  const comingAndGoing = (async () => {
    const stays: number[][] = [];
    while (!isDone) {
      const stay: number[] = [];
      await plain.subscribe(channel.name, (text) => stay.push(JSON.parse(text).seq));
      for (let pings = random(20); pings >= 0; pings--) await plain.ping();
      await plain.unsubscribe(channel.name);
      stays.push(stay);
      for (let pings = random(60); pings >= 0; pings--) await admin.ping();
    }
    return stays;
  })();
  for (let round = 0; round < 60; round++) await stream.publish(100 + random(1_500));
  isDone = true;

  const stays = await comingAndGoing;
  expect(stays.flat().length).toBeGreaterThan(0);
  for (const stay of stays) expect(stay).toEqual(Array.from(stay, (_, index) => (stay[0] ?? 0) + index));
  await ours.last(stream.count - 1);
  expect(ours.received).toEqual(Array.from({ length: stream.count }, (_, n) => n));
  expect(ours.gaps).toEqual([]);
});

it('treats a subscriber without access to the frame channel as a plain client', async () => {
  const channel = newChannel();
  await admin.sendCommand([
    'ACL',
    'SETUSER',
    'narrow',
    'reset',
    'on',
    '>pw',
    `&${channel.name}`,
    '~tickbus:*',
    '+@all',
  ]);
  await using narrow = await ourSubscriber(channel, { url: redis.url.replace('//', '//narrow:pw@') });
  await using ours = await ourSubscriber(channel);
  await using holder = await leasedPublisher(channel, redis.url);
  const stream = counting(holder.publisher, channel);
  for (let round = 0; round < 20; round++) await stream.publish(100);
  for (const { received, last } of [narrow, ours]) {
    await last(1_999);
    expect(received).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
  }
});

it('loses no message when a denied subscriber shares its connection with a permitted one', async () => {
  const channel = newChannel();
  const rules = [
    'reset',
    'on',
    '>pw',
    '~*',
    `&${channel.name}`,
    '&FEED_STATUS',
    '&INSTRUMENT_STATUS',
    '+@all',
  ];
  await admin.sendCommand(['ACL', 'SETUSER', 'bot', ...rules]);
  await using holder = await leasedPublisher(channel, redis.url);
  await using connection = new RedisConnection({ url: redis.url.replace('//', '//bot:pw@') });
  await using early = await ourSubscriber(channel, { connection });
  await admin.sendCommand(['ACL', 'SETUSER', 'bot', 'allchannels']);
  await using late = await ourSubscriber(channel, { connection });
  const stream = counting(holder.publisher, channel);
  for (let round = 0; round < 40; round++) await stream.publish(50);
  for (const { received, gaps, last } of [early, late]) {
    await last(1_999);
    expect(received).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
    expect(gaps).toEqual([]);
  }
});

it('publishes by script on a server with MULTI but without EXEC', async () => {
  const half = await startLocalRedis({ args: ['--rename-command', 'EXEC', ''] });
  const channel = newChannel();
  await using ours = await ourSubscriber(channel, { url: half.url });
  {
    await using holder = await leasedPublisher(channel, half.url);
    expect(holder.lease.writer).toBeUndefined();
    const stream = counting(holder.publisher, channel);
    for (let round = 0; round < 40; round++) await stream.publish(50);
  }
  await ours.last(1_999);
  expect(ours.received).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
  await half.kill();
});

it('sends single messages while a replica is connected, because the server cannot count its listeners', async () => {
  const channel = newChannel();
  await using holder = await leasedPublisher(channel, redis.url);
  await using ours = await ourSubscriber(channel);
  const stream = counting(holder.publisher, channel);
  await untilFramed(stream.publish);
  await admin.configSet('repl-diskless-sync-delay', '0');
  // No dump on disk: test servers share a folder, and a server loads any dump it finds there.
  const args = ['--replicaof', redis.host, String(redis.port), '--repl-diskless-load', 'on-empty-db'];
  const replica = await startLocalRedis({ port: await freePort(), args });
  const plain = await plainClient(replica.url);
  const received: number[] = [];
  await plain.subscribe(channel.name, (text) => received.push(JSON.parse(text).data.n));
  while (!(await admin.info('replication')).includes('state=online')) await admin.ping();
  const first = stream.count;
  await stream.publish(1_000);
  const last = stream.count - 1;
  while (received.at(-1) !== last) await plain.ping();
  expect(received.slice(-1_000)).toEqual(Array.from({ length: 1_000 }, (_, index) => first + index));
  await ours.last(last);
  expect(ours.received).toEqual(Array.from({ length: last + 1 }, (_, n) => n));
  plain.destroy();
  await replica.kill();
});

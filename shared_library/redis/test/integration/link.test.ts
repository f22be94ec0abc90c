// The link under faults: protocol errors, a hanging server, and a user with few permissions.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type LocalRedis as Server, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, silentLogger } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { SubscriberStatus } from '../../subscribe/status.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { pricePayload } from '../channels.fixture.ts';
import {
  changeUser,
  closeAfterEach,
  connectPlainClient,
  createUser,
  untilAccepted,
} from './integration.fixture.ts';

const closing = closeAfterEach();

it('subscriber reconnects with its subscriptions after a protocol error', async () => {
  const redis = await start();
  const proxy = await startInjectingProxy(redis);
  const subscriber = new RedisSubscriber({ port: proxy.port, logger: silentLogger });
  closing.push(() => subscriber.close());
  const prices = new EventRecorder<number>();
  // The last value can follow again as a snapshot, because no head check has confirmed its number yet.
  subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data, snapshot }) => {
    if (snapshot !== true) prices.add(data.price);
  });
  await subscriber.startListening();
  const publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
  closing.push(() => publisher.close());
  await publisher.publish(CHANNELS.PRICE_DATA, pricePayload());
  expect(await prices.reaches(1)).toEqual([1]);

  const statuses: string[] = [];
  const live = new Promise<void>((resolve) => {
    subscriber.on('status', (status) => {
      statuses.push(status.type);
      if (status.type === 'live' && statuses.includes('connected')) resolve();
    });
  });
  proxy.inject('?this is not RESP\r\n');
  await live;
  await publisher.publish(CHANNELS.PRICE_DATA, pricePayload({ price: 2 }));
  expect(await prices.reaches(2)).toEqual([1, 2]);
  expect(statuses.slice(0, 3)).toEqual(['disconnected', 'reconnecting', 'connected']);
});

it('subscriber reports "stale" on a hanging server and reconnects when it resumes', async () => {
  const redis = await start();
  const { publisher, prices, statuses } = await connectedPair(redis.url);
  const linkStates = () => statuses.map(({ type }) => type).filter((type) => LINK_STATES.has(type));
  const untilReported = (type: SubscriberStatus['type']) =>
    new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (!linkStates().includes(type)) return;
        clearInterval(timer);
        resolve();
      }, 20);
    });
  await publisher.connect();
  statuses.length = 0;
  redis.pause();
  const publishing = publisher.publish(CHANNELS.PRICE_DATA, pricePayload());
  await expect(publishing).rejects.toMatchObject({ code: 'TICKBUS_OUTCOME_UNKNOWN' });
  await untilReported('stale');
  await untilReported('reconnecting');
  redis.resume();
  await untilReported('connected');
  expect(linkStates().slice(0, 3)).toEqual(['stale', 'disconnected', 'reconnecting']);
  expect(statuses.find(({ type }) => type === 'disconnected')).toMatchObject({
    error: { code: 'TICKBUS_NOT_CONNECTED', message: expect.stringMatching(/has been silent for \d+ ms/) },
  });
  await untilAccepted(() => publisher.publish(CHANNELS.PRICE_DATA, pricePayload({ price: 2 })));
  await prices.first((price) => price === 2);
});

/** Types of the status events about the link, not about a channel. */
const LINK_STATES = new Set(['stale', 'disconnected', 'reconnecting', 'connected', 'failed']);

describe('a user with few permissions', () => {
  it('can publish and subscribe with the rules of docs/delivery.md', async () => {
    const redis = await start();
    const commands = ['+@connection', '+@pubsub', '+@scripting', '+@read', '+@write', '+time', '+info'];
    const url = await createUser(redis, 'few', 'resetchannels', '&PRICE_DATA', '~tickbus:*', ...commands);
    const { publisher, subscriber, prices } = await connectedPair(url);
    await publisher.publish(CHANNELS.PRICE_DATA, pricePayload());
    expect(await prices.reaches(1)).toEqual([1]);
    expect(subscriber.status(CHANNELS.PRICE_DATA)?.mode).toBe('live');
  });

  it('publish rejects with TICKBUS_DENIED without the right to publish, and numbers nothing', async () => {
    const redis = await start();
    const url = await createUser(redis, 'few', 'resetchannels', '~tickbus:*', '+@all');
    const publisher = new RedisPublisher({ url, logger: silentLogger });
    closing.push(() => publisher.close());
    await expect(publisher.publish(CHANNELS.PRICE_DATA, pricePayload())).rejects.toMatchObject({
      code: 'TICKBUS_DENIED',
    });
    await changeUser(redis, 'few', 'allchannels');
    await expect(publisher.publish(CHANNELS.PRICE_DATA, pricePayload())).resolves.toMatchObject({
      position: { seq: 1 },
    });
  });

  it('startListening rejects with TICKBUS_DENIED without the right to subscribe', async () => {
    const redis = await start();
    const url = await createUser(redis, 'few', 'resetchannels', '~tickbus:*', '+@all');
    const subscriber = new RedisSubscriber({ url, logger: silentLogger });
    closing.push(() => subscriber.close());
    subscriber.subscribe(CHANNELS.PRICE_DATA, () => {});
    await expect(subscriber.startListening()).rejects.toMatchObject({ code: 'TICKBUS_DENIED' });
  });

  it('subscriber without the right to read receives live messages and reports gaps as not repaired', async () => {
    const redis = await start();
    const url = await createUser(redis, 'few', 'allchannels', '+@connection', '+@pubsub');
    const { subscriber, prices, statuses } = await connectedPair(redis.url, url);
    const plain = await connectPlainClient(redis.url, closing);
    const publishAt = (seq: number) => {
      const data = pricePayload({ price: seq });
      const envelope = { seq, epoch: 9, message_type: 'price', data, timestamp: 1, sender: 's' };
      return plain.publish('PRICE_DATA', JSON.stringify(envelope));
    };
    await publishAt(7);
    expect(await prices.reaches(1)).toEqual([7]);
    await publishAt(8);
    expect(await prices.reaches(2)).toEqual([7, 8]);
    await publishAt(11);
    expect(await prices.reaches(3)).toEqual([7, 8, 11]);
    expect(statuses.filter(({ type }) => type === 'gap')).toMatchObject([
      { from: 9, to: 10, lost: 2, repaired: false },
    ]);
    expect(statuses.filter(({ type }) => type === 'recovery_failed')).toMatchObject([
      { error: { code: 'TICKBUS_DENIED' } },
    ]);
    expect(subscriber.status(CHANNELS.PRICE_DATA)?.lost).toBe(2);
  });
});

async function start(): Promise<Server> {
  const redis = await startLocalRedis();
  closing.push(() => redis.kill());
  return redis;
}

async function connectedPair(publisherUrl: string, subscriberUrl = publisherUrl) {
  const subscriber = new RedisSubscriber({ url: subscriberUrl, logger: silentLogger });
  const publisher = new RedisPublisher({ url: publisherUrl, logger: silentLogger });
  closing.push(
    () => subscriber.close(),
    () => publisher.close(),
  );
  const prices = new EventRecorder<number>();
  const statuses: SubscriberStatus[] = [];
  subscriber.on('status', (status) => statuses.push(status));
  subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data }) => prices.add(data.price));
  await subscriber.startListening();
  return { publisher, subscriber, prices, statuses };
}

/** A proxy that can insert bytes into the replies of the server. */
async function startInjectingProxy(redis: Server) {
  const clients: Socket[] = [];
  const server = createServer((client) => {
    const upstream = connect(redis.port, redis.host);
    for (const socket of [client, upstream])
      socket.on('error', () => {}).on('close', () => [client, upstream].map((one) => one.destroy()));
    client.pipe(upstream);
    upstream.pipe(client, { end: false });
    clients.push(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    for (const client of clients) client.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    inject: (text: string) => clients.at(-1)?.write(text),
  };
}

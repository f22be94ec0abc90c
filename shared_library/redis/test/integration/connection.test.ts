// An established link: login, sharing, reconnects, and when reconnecting stops.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, RecordingLogger, silentLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { pricePayload } from '../channels.fixture.ts';
import {
  clientList,
  closeAfterEach,
  connectPlainClient,
  firstPublishError,
  killClients,
  untilAccepted,
} from './integration.fixture.ts';

const SECRET = 'hunter2%/:@ä';

let redis: LocalRedis;
let guarded: LocalRedis;
const closing = closeAfterEach();
beforeAll(async () => {
  [redis, guarded] = await Promise.all([
    startLocalRedis(),
    startLocalRedis({ args: ['--requirepass', SECRET] }),
  ]);
});
afterAll(() => Promise.all([redis.kill(), guarded.kill()]));

describe('an established link', () => {
  it('logs in with a URL whose password has special characters', async () => {
    const publisher = new RedisPublisher({
      url: `redis://default:${encodeURIComponent(SECRET)}@127.0.0.1:${guarded.port}`,
    });
    closing.push(() => publisher.close());
    await expect(publisher.publish(CHANNELS.PRICE_DATA, pricePayload())).resolves.toMatchObject({
      receivers: 0,
    });
  });

  it('is shared by publishers and subscribers: two connections in total, closed by the owner', async () => {
    const connection = new RedisConnection({ url: redis.url });
    closing.push(() => connection.close());
    const publishers = [new RedisPublisher({ connection }), new RedisPublisher({ connection })];
    const subscribers = [new RedisSubscriber({ connection }), new RedisSubscriber({ connection })];
    subscribers[0]?.subscribe(CHANNELS.PRICE_DATA, () => {});
    subscribers[1]?.subscribe(CHANNELS.BOT_STATUS, () => {});
    await Promise.all(subscribers.map((subscriber) => subscriber.startListening()));
    await Promise.all(publishers.map((publisher) => publisher.publish(CHANNELS.PRICE_DATA, pricePayload())));
    expect((await clientList(redis)).filter((line) => line.includes(' name=tickbus:'))).toHaveLength(2);
    await publishers[0]?.close();
    await publishers[1]?.publish(CHANNELS.PRICE_DATA, pricePayload());
  });

  it('reconnects with its subscriptions after a drop', async () => {
    const { publisher, subscriber, prices } = await connectedPair({ url: redis.url });
    const reconnected = connectedAgain(subscriber);
    await killClients(redis);
    await reconnected;
    await untilAccepted(() => publisher.publish(CHANNELS.FEED_STATUS, { feed: 'probe', state: 'live' }));
    await publisher.publish(CHANNELS.PRICE_DATA, pricePayload({ price: 200 }));
    await prices.first((price) => price === 200);
  });

  it('with reconnect: false reports "failed" after a drop, and connects again on request', async () => {
    const { publisher, subscriber, prices } = await connectedPair({ url: redis.url, reconnect: false });
    const failed = new Promise((resolve) =>
      subscriber.on('status', (status) => status.type === 'failed' && resolve(status)),
    );
    await killClients(redis);
    await expect(failed).resolves.toMatchObject({ error: { code: 'TICKBUS_NOT_CONNECTED' } });
    await expect(publisher.publish(CHANNELS.PRICE_DATA, pricePayload())).rejects.toMatchObject({
      code: expect.stringMatching(/NOT_CONNECTED|UNKNOWN/),
    });
    expect(subscriber.status(CHANNELS.PRICE_DATA)?.mode).toBe('recovering');

    await Promise.all([subscriber.startListening(), publisher.connect()]);
    await publisher.publish(CHANNELS.PRICE_DATA, pricePayload({ price: 300 }));
    await prices.first((price) => price === 300);
  });

  it('keeps reconnecting while the server has too many clients', async () => {
    const server = await startLocalRedis();
    closing.push(() => server.kill());
    const admin = await connectPlainClient(server.url, closing);
    const { subscriber } = await connectedPair({ url: server.url });
    const connected = new Promise((resolve, reject) =>
      subscriber.on('status', async (status) => {
        if (status.type === 'connected') resolve(status);
        else if (status.type === 'failed') reject(status.error);
        // After three permanent rejections the client would stop reconnecting, but this rejection is temporary.
        else if (status.type === 'reconnecting' && status.attempt === 5)
          await admin.sendCommand(['CONFIG', 'SET', 'maxclients', '100']);
      }),
    );
    await admin.sendCommand(['CONFIG', 'SET', 'maxclients', '1']);
    const error = await firstPublishError({ url: server.url }, closing);
    expect(error).toMatchObject({ code: 'TICKBUS_SERVER_ERROR' });
    expect(error.message).toMatch(/ERR max number of clients reached\. The server cannot accept it now/);
    await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
    await expect(connected).resolves.toMatchObject({ generation: 2 });
  });

  it('stops reconnecting with TICKBUS_AUTH_FAILED if the password changes, and logs no secret', async () => {
    const server = await startLocalRedis();
    closing.push(() => server.kill());
    const admin = await connectPlainClient(server.url, closing);
    await admin.sendCommand(['ACL', 'SETUSER', 'bot', 'on', `>${SECRET}`, '~*', '&*', '+@all']);
    const logger = new RecordingLogger();
    const { subscriber } = await connectedPair({
      url: `redis://bot:${encodeURIComponent(SECRET)}@127.0.0.1:${server.port}`,
      logger,
    });
    const failed = new Promise((resolve) =>
      subscriber.on('status', (status) => status.type === 'failed' && resolve(status)),
    );
    await admin.sendCommand(['ACL', 'SETUSER', 'bot', 'resetpass', '>another']);
    await admin.sendCommand(['CLIENT', 'KILL', 'USER', 'bot']);
    await expect(failed).resolves.toMatchObject({ error: { code: 'TICKBUS_AUTH_FAILED' } });
    expect(JSON.stringify(logger.lines)).not.toContain('hunter2');
  });
});

async function connectedPair(options: ConstructorParameters<typeof RedisConnection>[0]) {
  const connection = new RedisConnection({ logger: silentLogger, ...options });
  const publisher = new RedisPublisher({ connection, logger: silentLogger });
  const subscriber = new RedisSubscriber({ connection, logger: silentLogger });
  closing.push(
    () => connection.close(),
    () => subscriber.close(),
    () => publisher.close(),
  );
  const prices = new EventRecorder<number>();
  subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data }) => prices.add(data.price));
  await subscriber.startListening();
  await publisher.publish(CHANNELS.PRICE_DATA, pricePayload());
  await prices.reaches(1);
  return { publisher, subscriber, prices };
}

function connectedAgain(subscriber: RedisSubscriber): Promise<void> {
  return new Promise((resolve) => subscriber.on('status', ({ type }) => type === 'connected' && resolve()));
}

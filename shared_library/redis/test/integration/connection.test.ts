// Connecting, failing to connect and losing the link, against real servers and servers of other protocols.

import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { RecordingLogger, silentLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';

const SECRET = 'hunter2%/:@ä';
const tick = { symbol: 'AAPL', price: 100, timestamp: 1 };

let redis: LocalRedis;
let guarded: LocalRedis;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  [redis, guarded] = await Promise.all([
    startLocalRedis(),
    startLocalRedis({ args: ['--requirepass', SECRET] }),
  ]);
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => Promise.all([redis.kill(), guarded.kill()]));

describe('the first publish rejects', () => {
  it('with TICKBUS_CONNECT_FAILED if nothing listens on the port', async () => {
    const port = await freePort();
    const error = await failure({ host: '127.0.0.1', port });
    expect(error).toMatchObject({ code: 'TICKBUS_CONNECT_FAILED', retryable: true });
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toContain('docker-compose up -d redis');
  });

  it('with TICKBUS_CONNECT_FAILED if the host name is unknown', async () => {
    const error = await failure({ host: 'no-such-host.invalid', port: 6379 });
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
    expect(error.message).toContain('no-such-host.invalid:6379: the host name is unknown');
  });

  it.each([
    ['a wrong password', `:${encodeURIComponent('wrong-password')}@`, 'WRONGPASS'],
    ['a wrong user', `bob:${encodeURIComponent(SECRET)}@`, 'WRONGPASS'],
    ['no password on a server that requires one', '', 'NOAUTH'],
  ])('with TICKBUS_AUTH_FAILED for %s', async (_, credentials, word) => {
    const error = await failure({ url: `redis://${credentials}127.0.0.1:${guarded.port}` });
    expect(error).toMatchObject({ code: 'TICKBUS_AUTH_FAILED', retryable: false });
    expect(error.message).toContain(word);
    expect(error.message).toContain('Check the user and password');
  });

  it('with TICKBUS_CONNECT_FAILED if an HTTP server answers', async () => {
    const web = createHttpServer((_, response) => response.end('hello'));
    const error = await failure({ port: await listen(web) });
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
    expect(error.message).toContain('Check that it is Redis');
  });

  it('with TICKBUS_CONNECT_FAILED if a server of another protocol speaks first', async () => {
    const ssh = createServer((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'));
    const error = await failure({ port: await listen(ssh), connectTimeoutMs: 300 });
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
  });

  it('with TICKBUS_CONNECT_FAILED if the server accepts the connection and never replies', async () => {
    const mute = createServer(() => {});
    const error = await failure({ port: await listen(mute), connectTimeoutMs: 300 });
    expect(error.code).toBe('TICKBUS_CONNECT_FAILED');
    expect(error.message).toContain('it timed out');
  });

  it('without the password, if the server echoes it in its reply', async () => {
    const old = createServer((socket) =>
      socket.on('data', (data) => socket.write(`-ERR unknown command ${JSON.stringify(String(data))}\r\n`)),
    );
    const logger = new RecordingLogger();
    const url = `redis://bob:${encodeURIComponent(SECRET)}@127.0.0.1:${await listen(old)}`;
    const error = await failure({ url, logger });
    expect(error.message).toContain('***');
    const everything = [
      error.message,
      error.stack,
      String(error.cause),
      JSON.stringify(error.cause),
      JSON.stringify(logger.lines),
    ].join('\n');
    expect(everything).not.toContain('hunter2');
  });

  it('startListening rejects with TICKBUS_CONNECT_FAILED and logs one error', async () => {
    const logger = new RecordingLogger();
    const port = await freePort();
    const subscriber = new RedisSubscriber({ host: '127.0.0.1', port, logger });
    closing.push(() => subscriber.close());
    await expect(subscriber.startListening()).rejects.toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
    expect(logger.lines.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      expect.stringContaining(`127.0.0.1:${port}`),
    ]);
  });

  it('publish can be retried on the same publisher after the server starts', async () => {
    const late = await startLocalRedis();
    closing.push(() => late.kill());
    await late.kill();
    const publisher = new RedisPublisher({ url: late.url, logger: silentLogger });
    closing.push(() => publisher.close());
    await expect(publisher.publish(CHANNELS.PRICE_DATA, tick)).rejects.toMatchObject({
      code: 'TICKBUS_CONNECT_FAILED',
    });
    await late.start();
    await expect(publisher.publish(CHANNELS.PRICE_DATA, tick)).resolves.toMatchObject({
      position: { seq: 1 },
    });
  });
});

describe('the constructor throws TICKBUS_INVALID_OPTION', () => {
  it.each([
    ['url', { url: 'http://127.0.0.1' }],
    ['url', { url: `redis//bob:${SECRET}@x` }],
    ['url', { url: 'redis://127.0.0.1', host: 'x' }],
    ['port', { port: 70_000 }],
    ['port', { port: Number.NaN }],
    ['db', { db: -1 }],
    ['host', { host: `redis://bob:${SECRET}@127.0.0.1` }],
    ['connectTimeoutMs', { connectTimeoutMs: 0 }],
  ])('for %s in %o', (field, options) => {
    const make = () => new RedisPublisher(options);
    expect(make).toThrow(expect.objectContaining({ code: 'TICKBUS_INVALID_OPTION', field }));
    expect(make).not.toThrow(/hunter2/);
  });
});

describe('an established link', () => {
  it('logs in with a URL whose password has special characters', async () => {
    const publisher = new RedisPublisher({
      url: `redis://default:${encodeURIComponent(SECRET)}@127.0.0.1:${guarded.port}`,
    });
    closing.push(() => publisher.close());
    await expect(publisher.publish(CHANNELS.PRICE_DATA, tick)).resolves.toMatchObject({ receivers: 0 });
  });

  it('keeps the values of two databases apart', async () => {
    const one = new RedisPublisher({ url: `${redis.url}/1` });
    const two = new RedisPublisher({ url: redis.url, db: 2 });
    closing.push(() => Promise.all([one.close(), two.close()]));
    const [a, b] = await Promise.all([
      one.publish(CHANNELS.BOT_STATUS, status),
      two.publish(CHANNELS.BOT_STATUS, status),
    ]);
    expect([a.position?.seq, b.position?.seq]).toEqual([1, 1]);
  });

  it('is shared by publishers and subscribers: two connections in total, closed by the owner', async () => {
    const connection = new RedisConnection({ url: redis.url });
    closing.push(() => connection.close());
    const publishers = [new RedisPublisher({ connection }), new RedisPublisher({ connection })];
    const subscribers = [new RedisSubscriber({ connection }), new RedisSubscriber({ connection })];
    subscribers[0]?.subscribe(CHANNELS.PRICE_DATA, () => {});
    subscribers[1]?.subscribe(CHANNELS.BOT_STATUS, () => {});
    await Promise.all(subscribers.map((subscriber) => subscriber.startListening()));
    await Promise.all(publishers.map((publisher) => publisher.publish(CHANNELS.PRICE_DATA, tick)));
    expect((await ownClients(redis)).length).toBe(2);
    await publishers[0]?.close();
    await publishers[1]?.publish(CHANNELS.PRICE_DATA, tick);
  });

  it('reconnects with its subscriptions after a drop', async () => {
    const { publisher, subscriber, prices } = await pair({ url: redis.url });
    const back = connectedAgain(subscriber);
    await killClients(redis);
    await back;
    await publisherUp(publisher);
    await publisher.publish(CHANNELS.PRICE_DATA, { ...tick, price: 200 });
    await prices.until(200);
  });

  it('with reconnect: false reports "failed" after a drop, and connects again on request', async () => {
    const { publisher, subscriber, prices } = await pair({ url: redis.url, reconnect: false });
    const failed = new Promise((resolve) =>
      subscriber.on('status', (one) => one.type === 'failed' && resolve(one)),
    );
    await killClients(redis);
    await expect(failed).resolves.toMatchObject({ error: { code: 'TICKBUS_NOT_CONNECTED' } });
    await expect(publisher.publish(CHANNELS.PRICE_DATA, tick)).rejects.toMatchObject({
      code: expect.stringMatching(/NOT_CONNECTED|UNKNOWN/),
    });
    expect(subscriber.status(CHANNELS.PRICE_DATA)?.mode).toBe('recovering');

    await Promise.all([subscriber.startListening(), publisher.connect()]);
    await publisher.publish(CHANNELS.PRICE_DATA, { ...tick, price: 300 });
    await prices.until(300);
  });

  it('keeps reconnecting while the server has too many clients', async () => {
    const server = await startLocalRedis();
    closing.push(() => server.kill());
    const admin = createClient({ url: server.url });
    await admin.connect();
    closing.push(() => admin.destroy());
    const { subscriber } = await pair({ url: server.url });
    const connected = new Promise((resolve, reject) =>
      subscriber.on('status', async (one) => {
        if (one.type === 'connected') resolve(one);
        else if (one.type === 'failed') reject(one.error);
        // Three rejections of another kind would end the attempts.
        else if (one.type === 'reconnecting' && one.attempt === 5)
          await admin.sendCommand(['CONFIG', 'SET', 'maxclients', '100']);
      }),
    );
    await admin.sendCommand(['CONFIG', 'SET', 'maxclients', '1']);
    const error = await failure({ url: server.url });
    expect(error).toMatchObject({ code: 'TICKBUS_SERVER_ERROR' });
    expect(error.message).toMatch(/ERR max number of clients reached\. The server cannot accept it now/);
    await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
    await expect(connected).resolves.toMatchObject({ generation: 2 });
  });

  it('stops reconnecting with TICKBUS_AUTH_FAILED if the password changes, and logs no secret', async () => {
    const server = await startLocalRedis();
    closing.push(() => server.kill());
    const admin = createClient({ url: server.url });
    await admin.connect();
    closing.push(() => admin.destroy());
    await admin.sendCommand(['ACL', 'SETUSER', 'bot', 'on', `>${SECRET}`, '~*', '&*', '+@all']);
    const logger = new RecordingLogger();
    const { subscriber } = await pair({
      url: `redis://bot:${encodeURIComponent(SECRET)}@127.0.0.1:${server.port}`,
      logger,
    });
    const failed = new Promise((resolve) =>
      subscriber.on('status', (one) => one.type === 'failed' && resolve(one)),
    );
    await admin.sendCommand(['ACL', 'SETUSER', 'bot', 'resetpass', '>another']);
    await admin.sendCommand(['CLIENT', 'KILL', 'USER', 'bot']);
    await expect(failed).resolves.toMatchObject({ error: { code: 'TICKBUS_AUTH_FAILED' } });
    expect(JSON.stringify(logger.lines)).not.toContain('hunter2');
  });
});

const status = { bot: 'b', state: 'running' } as const;

/** The error of a first publish with these options. */
async function failure(options: ConstructorParameters<typeof RedisPublisher>[0]): Promise<TickbusError> {
  const publisher = new RedisPublisher({ logger: silentLogger, ...options } as typeof options);
  closing.push(() => publisher.close());
  return publisher.publish(CHANNELS.PRICE_DATA, tick).then(
    () => Promise.reject(new Error('The publish succeeded.')),
    (error: TickbusError) => error,
  );
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function pair(options: ConstructorParameters<typeof RedisConnection>[0]) {
  const connection = new RedisConnection({ logger: silentLogger, ...options });
  const publisher = new RedisPublisher({ connection, logger: silentLogger });
  const subscriber = new RedisSubscriber({ connection, logger: silentLogger });
  closing.push(
    () => connection.close(),
    () => subscriber.close(),
    () => publisher.close(),
  );
  const prices = new Prices();
  subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data }) => prices.add(data.price));
  await subscriber.startListening();
  await publisher.publish(CHANNELS.PRICE_DATA, tick);
  await prices.until(tick.price);
  return { publisher, subscriber, prices };
}

class Prices {
  readonly #seen = new Set<number>();
  readonly #waiting = new Map<number, () => void>();

  add(price: number): void {
    this.#seen.add(price);
    this.#waiting.get(price)?.();
  }

  until(price: number): Promise<void> {
    if (this.#seen.has(price)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(price, resolve));
  }
}

function connectedAgain(subscriber: RedisSubscriber): Promise<void> {
  return new Promise((resolve) => subscriber.on('status', (one) => one.type === 'connected' && resolve()));
}

/** The publisher has its own link, which may reconnect later than the subscriber's. */
async function publisherUp(publisher: RedisPublisher): Promise<void> {
  for (;;) {
    const outcome = await publisher
      .publish(CHANNELS.FEED_STATUS, { feed: 'probe', state: 'live' })
      .catch((error: TickbusError) => error.code);
    if (typeof outcome !== 'string') return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function ownClients(server: LocalRedis): Promise<string[]> {
  const admin = createClient({ url: server.url });
  await admin.connect();
  const list = String(await admin.sendCommand(['CLIENT', 'LIST']));
  admin.destroy();
  return list.split('\n').filter((line) => / name=tickbus:/.test(line));
}

async function killClients(server: LocalRedis): Promise<void> {
  const admin = createClient({ url: server.url });
  await admin.connect();
  await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']);
  await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub', 'SKIPME', 'yes']);
  admin.destroy();
}

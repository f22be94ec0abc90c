// The link under faults: protocol errors, a hanging server, TLS, and a user with few permissions.

import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, LocalRedis, type LocalRedis as Server, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { afterEach, describe, expect, it } from 'vitest';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import type { SubscriberStatus } from '../../subscribe/status.ts';
import { RedisSubscriber } from '../../subscriber.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it('subscriber reconnects with its subscriptions after a protocol error', async () => {
  const redis = await start();
  const wire = await tap(redis);
  const subscriber = new RedisSubscriber({ port: wire.port, logger: silentLogger });
  closing.push(() => subscriber.close());
  const received = channelOf<number>();
  subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data }) => received.push(data.price));
  await subscriber.startListening();
  const publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
  closing.push(() => publisher.close());
  await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'A', price: 1, timestamp: 1 });
  expect(await received.next()).toBe(1);

  const statuses: string[] = [];
  const live = new Promise<void>((resolve) => {
    subscriber.on('status', (status) => {
      statuses.push(status.type);
      if (status.type === 'live' && statuses.includes('connected')) resolve();
    });
  });
  wire.inject('?this is not RESP\r\n');
  await live;
  await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'A', price: 2, timestamp: 2 });
  expect(await received.next()).toBe(2);
  expect(statuses.slice(0, 3)).toEqual(['disconnected', 'reconnecting', 'connected']);
});

it('subscriber reports "stale" on a hanging server and reconnects when it resumes', async () => {
  const redis = await start();
  const { publisher, received, statuses } = await pairOf(redis, redis.url, redis.url);
  const linkOf = () => statuses.map(({ type }) => type).filter((type) => LINK.has(type));
  const told = (type: SubscriberStatus['type']) =>
    new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (!linkOf().includes(type)) return;
        clearInterval(timer);
        resolve();
      }, 20);
    });
  await publisher.connect();
  statuses.length = 0;
  redis.pause();
  const publishing = publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'A', price: 1, timestamp: 1 });
  await expect(publishing).rejects.toMatchObject({ code: 'TICKBUS_OUTCOME_UNKNOWN' });
  await told('stale');
  await told('reconnecting');
  redis.resume();
  await told('connected');
  expect(linkOf().slice(0, 3)).toEqual(['stale', 'disconnected', 'reconnecting']);
  expect(statuses.find(({ type }) => type === 'disconnected')).toMatchObject({
    error: { code: 'TICKBUS_NOT_CONNECTED', message: expect.stringMatching(/has been silent for \d+ ms/) },
  });
  await publishUntilAccepted(publisher, 2);
  for (let price = 0; price !== 2; price = await received.next());
});

/** The states of the link itself. */
const LINK = new Set(['stale', 'disconnected', 'reconnecting', 'connected', 'failed']);

/** The publisher may reconnect later than the subscriber. */
async function publishUntilAccepted(publisher: RedisPublisher, price: number): Promise<void> {
  for (;;) {
    const isAccepted = await publisher
      .publish(CHANNELS.PRICE_DATA, { symbol: 'A', price, timestamp: 1 })
      .then(
        () => true,
        () => false,
      );
    if (isAccepted) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a user with few permissions', () => {
  it('can publish and subscribe with the rules of docs/delivery.md', async () => {
    const redis = await start();
    await setUser(
      redis,
      'resetchannels &PRICE_DATA ~tickbus:* +@connection +@pubsub +@scripting +@read +@write +time +info',
    );
    const { publisher, subscriber, received } = await pairOf(redis);
    await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'A', price: 1, timestamp: 1 });
    expect(await received.next()).toBe(1);
    expect(subscriber.status(CHANNELS.PRICE_DATA)?.mode).toBe('live');
  });

  it('publish rejects with TICKBUS_DENIED without the right to publish, and numbers nothing', async () => {
    const redis = await start();
    await setUser(redis, 'resetchannels ~tickbus:* +@all');
    const publisher = new RedisPublisher({ url: urlOf(redis), logger: silentLogger });
    closing.push(() => publisher.close());
    const tick = { symbol: 'A', price: 1, timestamp: 1 };
    await expect(publisher.publish(CHANNELS.PRICE_DATA, tick)).rejects.toMatchObject({
      code: 'TICKBUS_DENIED',
    });
    await setUser(redis, 'allchannels');
    await expect(publisher.publish(CHANNELS.PRICE_DATA, tick)).resolves.toMatchObject({
      position: { seq: 1 },
    });
  });

  it('startListening rejects with TICKBUS_DENIED without the right to subscribe', async () => {
    const redis = await start();
    await setUser(redis, 'resetchannels ~tickbus:* +@all');
    const subscriber = new RedisSubscriber({ url: urlOf(redis), logger: silentLogger });
    closing.push(() => subscriber.close());
    subscriber.subscribe(CHANNELS.PRICE_DATA, () => {});
    await expect(subscriber.startListening()).rejects.toMatchObject({ code: 'TICKBUS_DENIED' });
  });

  it('subscriber without the right to read receives live messages and reports gaps as not repaired', async () => {
    const redis = await start();
    await setUser(redis, 'allchannels +@connection +@pubsub');
    const { subscriber, received, statuses } = await pairOf(redis, redis.url);
    const other = createClient({ url: redis.url });
    await other.connect();
    closing.push(() => other.destroy());
    const say = (seq: number) =>
      other.publish(
        'PRICE_DATA',
        JSON.stringify({
          seq,
          epoch: 9,
          message_type: 'price',
          data: { symbol: 'A', price: seq, timestamp: 1 },
          timestamp: 1,
          sender: 's',
        }),
      );
    await say(7);
    expect(await received.next()).toBe(7);
    await say(8);
    expect(await received.next()).toBe(8);
    await say(11);
    expect(await received.next()).toBe(11);
    expect(statuses.filter(({ type }) => type === 'gap')).toMatchObject([
      { from: 9, to: 10, lost: 2, repaired: false },
    ]);
    expect(statuses.filter(({ type }) => type === 'recovery_failed')).toMatchObject([
      { error: { code: 'TICKBUS_DENIED' } },
    ]);
    expect(subscriber.status(CHANNELS.PRICE_DATA)?.lost).toBe(2);
  });
});

/** Without openssl there is no certificate, and the test is skipped, except in CI. */
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

it.skipIf(!hasOpenssl && process.env.CI !== 'true')(
  'rediss:// connects with TLS, and rejects an untrusted certificate',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tickbus-tls-'));
    closing.push(() => rmSync(folder, { recursive: true }));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
        ...subject,
        '-keyout',
        key,
        '-out',
        certificate,
      ],
      { stdio: 'ignore' },
    );
    const port = await freePort();
    const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate];
    const redis = await start(['--tls-port', String(port), '--tls-auth-clients', 'no', ...files]);
    expect(redis).toBeInstanceOf(LocalRedis);
    const program = `
    import { RedisPublisher } from 'tickbus/publisher';
    import { CHANNELS } from 'tickbus/constants';
    const publisher = new RedisPublisher();
    const { position } = await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'A', price: 1, timestamp: 1 });
    await publisher.close();
    console.log('number', position.seq);`;
    const run = (env: NodeJS.ProcessEnv) =>
      spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
        encoding: 'utf8',
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        env: { ...process.env, REDIS_URL: `rediss://localhost:${port}`, ...env },
      });
    expect(run({ NODE_EXTRA_CA_CERTS: certificate }).stdout.trim()).toBe('number 1');
    const refused = run({ NODE_EXTRA_CA_CERTS: '' });
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(/Cannot connect to Redis at rediss:\/\/localhost:\d+: .*certificate/);
  },
);

const PASSWORD = 'few-permissions';

async function start(args: string[] = []): Promise<Server> {
  const redis = await startLocalRedis({ args });
  closing.push(() => redis.kill());
  return redis;
}

function urlOf(redis: Server): string {
  return `redis://few:${PASSWORD}@127.0.0.1:${redis.port}`;
}

async function setUser(redis: Server, rules: string): Promise<void> {
  const admin = createClient({ url: redis.url });
  await admin.connect();
  await admin.sendCommand(['ACL', 'SETUSER', 'few', 'on', `>${PASSWORD}`, ...rules.split(' ')]);
  admin.destroy();
}

async function pairOf(redis: Server, publisherUrl = urlOf(redis), subscriberUrl = urlOf(redis)) {
  const subscriber = new RedisSubscriber({ url: subscriberUrl, logger: silentLogger });
  const publisher = new RedisPublisher({ url: publisherUrl, logger: silentLogger });
  closing.push(
    () => subscriber.close(),
    () => publisher.close(),
  );
  const received = channelOf<number>();
  const statuses: SubscriberStatus[] = [];
  subscriber.on('status', (status) => statuses.push(status));
  subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data }) => received.push(data.price));
  await subscriber.startListening();
  return { publisher, subscriber, received, statuses };
}

function channelOf<T>() {
  const values: T[] = [];
  const waiting: ((value: T) => void)[] = [];
  return {
    push(value: T) {
      const next = waiting.shift();
      if (next) next(value);
      else values.push(value);
    },
    next(): Promise<T> {
      const value = values.shift();
      return value === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(value);
    },
  };
}

/** A proxy that can insert bytes into the replies of the server. */
async function tap(redis: Server) {
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

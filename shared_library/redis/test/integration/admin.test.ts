// RedisAdmin against real servers: as the default user, as a restricted user, and with disabled commands.

import { readFile } from 'node:fs/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisAdmin } from '../../admin.ts';
import { partitionSpecs } from '../../channel/partition-specs.ts';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { parseOutputBuffer, parseServerFacts } from '../../transport/redis/admin/server-report.ts';
import { pricePayload } from '../channels.fixture.ts';
import { closeAfterEach, connectPlainClient, createUser } from './integration.fixture.ts';

const { PRICE_DATA, TRADE_COMMANDS, COMMAND_RESULTS } = CHANNELS;

const closing = closeAfterEach();
let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis({ args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] });
});
afterAll(() => redis.kill());

async function adminOf(url: string): Promise<RedisAdmin> {
  const admin = new RedisAdmin({ url, logger });
  await admin.connect();
  return admin;
}

it('inspect reports the server settings', async () => {
  await using admin = await adminOf(redis.url);
  expect(await admin.inspect()).toMatchObject({
    product: redis.program.replace('-server', ''),
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    mode: 'standalone',
    role: 'master',
    maxMemoryBytes: 64 * 1024 * 1024,
    maxMemoryPolicy: 'allkeys-lru',
    evictedKeys: 0,
    appendOnly: false,
    savePoints: '',
    pubsubBuffer: { hardBytes: 32 * 1024 * 1024, softBytes: 8 * 1024 * 1024, softSeconds: 60 },
    user: 'default',
    clients: expect.any(Number),
    maxClients: expect.any(Number),
  });
});

it('inspect reports undefined values if the server disables INFO, CONFIG and ACL', async () => {
  const renamed = ['CONFIG', 'INFO', 'ACL'].flatMap((command) => ['--rename-command', command, '']);
  await using restricted = await startLocalRedis({ args: renamed });
  await using admin = await adminOf(restricted.url);
  const report = await admin.inspect();
  expect(Object.values(report).every((value) => value === undefined)).toBe(true);
  expect((await admin.clock()).roundTripsMs).toHaveLength(5);
});

it('clock reports the offset of the server clock within half a round trip', async () => {
  await using admin = await adminOf(redis.url);
  const { offsetMs, errorMs, roundTripsMs } = await admin.clock(7);
  expect(roundTripsMs).toHaveLength(7);
  expect(errorMs).toBe(Math.min(...roundTripsMs) / 2);
  // Both processes read the same clock, so they differ only by the error and by adjustments of the clock since this
  // process started.
  const drift = Math.abs(performance.timeOrigin + performance.now() - Date.now());
  expect(Math.abs(offsetMs)).toBeLessThanOrEqual(errorMs + drift + 2);
});

describe('permissions', () => {
  it('allow everything for the default user', async () => {
    await using admin = await adminOf(redis.url);
    const answers = await admin.permissions();
    expect(new Set(answers.map(({ channel }) => channel))).toEqual(
      new Set(Object.values(CHANNELS).map(String)),
    );
    expect(answers.filter(({ isAllowed }) => !isAllowed)).toEqual([]);
  });

  it('allow what the documented rules allow', async () => {
    const page = await readFile(new URL('../../../../docs/delivery.md', import.meta.url), 'utf8');
    const rules = /^ACL SETUSER bot on >password (.+)$/m.exec(page)?.[1] ?? '';
    await using admin = await adminOf(await createUser(redis, 'documented', ...rules.split(' ')));
    const answers = await admin.permissions([PRICE_DATA, TRADE_COMMANDS]);
    const refused = answers.filter(({ isAllowed, purpose }) => !isAllowed && purpose !== 'exclusive');
    expect(refused.map(({ command: [name, of] }) => [name, of])).toEqual([
      ['SUBSCRIBE', 'TRADE_COMMANDS'],
      ['PUBLISH', 'TRADE_COMMANDS'],
    ]);
  });

  it('name each denied command and key', async () => {
    const rules = ['resetchannels', '&*', '%R~tickbus:*', '+@all', '-time'];
    await using admin = await adminOf(await createUser(redis, 'reader', ...rules));
    const answers = await admin.permissions([COMMAND_RESULTS]);
    const refused = answers.filter(({ isAllowed }) => !isAllowed).map(({ command }) => command.slice(0, 2));
    expect(refused).toContainEqual(['TIME']);
    expect(refused).toContainEqual(['XADD', 'tickbus:{COMMAND_RESULTS}:history']);
    expect(refused).toContainEqual(['SET', 'tickbus:{COMMAND_RESULTS}:lease']);
    expect(refused).not.toContainEqual(['XRANGE', 'tickbus:{COMMAND_RESULTS}:history']);
    expect(refused).not.toContainEqual(['SUBSCRIBE', 'COMMAND_RESULTS']);
  });

  it('are undefined for a user who may not run scripts', async () => {
    await using admin = await adminOf(
      await createUser(redis, 'deaf', 'allchannels', '+@connection', '+@pubsub'),
    );
    const answers = await admin.permissions([PRICE_DATA]);
    expect(new Set(answers.map(({ isAllowed }) => isAllowed))).toEqual(new Set([undefined]));
  });
});

it('channels reports subscribers, position, stored messages and the lease', async () => {
  await using connection = new RedisConnection({ url: redis.url, logger });
  const publisher = new RedisPublisher({ connection });
  const subscriber = new RedisSubscriber({ connection, logger, freshness: false });
  subscriber.subscribe(PRICE_DATA, () => {});
  await subscriber.startListening();
  for (const symbol of ['AAPL', 'MSFT', 'AAPL'])
    await publisher.publish(PRICE_DATA, pricePayload({ symbol }));
  const result = { command_id: 'one', bot: 'b', action: 'pause', outcome: 'done', by: 'me' } as const;
  const { position } = await publisher.publish(COMMAND_RESULTS, result);
  const lease = connection.publishing.lease(COMMAND_RESULTS);
  // The server holds off the first attempt, because it does not know the lease.
  await lease.acquire(10);
  await using admin = await adminOf(redis.url);
  expect((await admin.channels(['COMMAND_RESULTS']))[0]?.lease).toBeUndefined();
  let taken = await lease.acquire(60_000);
  while (taken.state !== 'held') taken = await lease.acquire(60_000);
  const { token } = taken;

  expect(await admin.activeChannels()).toEqual(['PRICE_DATA']);
  const [prices, results, nothing] = await admin.channels(['PRICE_DATA', 'COMMAND_RESULTS', 'nothing']);
  expect(prices).toMatchObject({ channel: 'PRICE_DATA', subscribers: 1, position: { seq: 3 }, keys: 2 });
  expect(results).toMatchObject({
    subscribers: 0,
    keys: 0,
    history: 1,
    lease: { token, fence: 'connection' },
  });
  expect(results?.position?.epoch).toBeGreaterThan(position?.epoch ?? 0);
  expect(results?.lease?.expiresInMs).toBeLessThanOrEqual(60_000);
  expect(nothing).toEqual({
    channel: 'nothing',
    subscribers: 0,
    position: undefined,
    keys: 0,
    history: 0,
    lease: undefined,
  });
  expect(await admin.channels([])).toEqual([]);
});

it('reports a channel with partitions once, with the statistics of all partitions', async () => {
  await using connection = new RedisConnection({ url: redis.url, logger });
  const { publishing, subscribing } = connection;
  await Promise.all([publishing.connect(), subscribing.connect()]);
  const channel = { name: 'SPLIT', kind: 'state', history: 0 } as const;
  const specs = partitionSpecs(channel, 4);
  for (const spec of [...specs, channel]) await publishing.setPartitions(spec, 4);
  for (const [index, spec] of specs.entries()) {
    const keys = Array.from({ length: index }, (_, key) => String(key));
    if (index > 0)
      await publishing.publish(
        spec,
        keys.map((key) => ({ key, json: '{"a":1}' })),
      );
    if (index < 2) await subscribing.subscribe(spec, () => {});
  }
  await using second = new RedisConnection({ url: redis.url, logger });
  await second.subscribing.connect();
  await second.subscribing.subscribe(specs[1] ?? channel, () => {});
  // A channel of another program, which is no partition.
  await second.subscribing.subscribe({ name: 'OTHER#1/2', kind: 'plain', history: 0 }, () => {});
  await using admin = await adminOf(redis.url);
  expect((await admin.activeChannels()).sort()).toEqual(['OTHER#1/2', 'SPLIT']);
  const [all, one, other] = await admin.channels(['SPLIT', 'SPLIT#3/4', 'OTHER#1/2']);
  expect(all).toMatchObject({
    channel: 'SPLIT',
    partitions: 4,
    position: undefined,
    subscribers: 2,
    keys: 6,
  });
  expect(one).toMatchObject({ channel: 'SPLIT#3/4', position: { seq: 3 }, subscribers: 0, keys: 3 });
  expect(other?.partitions).toBeUndefined();
  const plain = await connectPlainClient(redis.url, closing);
  await plain.hSet('tickbus:{SPLIT#2/4}:head', 'epoch', 'abc');
  const [faulty] = await admin.channels(['SPLIT']);
  expect(faulty?.fault).toContain('tickbus:{SPLIT#2/4}:head');
});

it('connect rejects with TICKBUS_CONNECT_FAILED or TICKBUS_AUTH_FAILED, without the password', async () => {
  const unreachable = new RedisAdmin({ url: 'redis://:hunter2@127.0.0.1:1', logger });
  await expect(unreachable.connect()).rejects.toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
  await expect(unreachable.inspect()).rejects.toMatchObject({ code: 'TICKBUS_NOT_CONNECTED' });
  await unreachable.close();
  const unknownUser = new RedisAdmin({ url: redis.url.replace('//', '//unknown:hunter2@'), logger });
  const error: unknown = await unknownUser.connect().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'TICKBUS_AUTH_FAILED' });
  expect(String(error)).not.toContain('hunter2');
  await unknownUser.close();
});

describe('parsing of server replies', () => {
  it('recognizes Valkey', () => {
    const info =
      'redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.3\r\nserver_mode:standalone\r\n';
    expect(parseServerFacts(info)).toMatchObject({
      product: 'valkey',
      version: '8.1.3',
      mode: 'standalone',
      maxMemoryBytes: undefined,
    });
  });

  it('finds the pubsub limit in client-output-buffer-limit', () => {
    expect(parseOutputBuffer('normal 0 0 0 replica 268435456 67108864 60 pubsub 1 2 3', 'pubsub')).toEqual({
      hardBytes: 1,
      softBytes: 2,
      softSeconds: 3,
    });
    expect(parseOutputBuffer('normal 0 0 0', 'pubsub')).toBeUndefined();
  });
});

// The Redis users of docs/production.md have the permissions that they need.

import { readFile } from 'node:fs/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { RedisConnection, RedisLease } from 'tickbus';
import { RedisAdmin } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConnectionBudget } from '../session/connection-budget.ts';
import { SILENT } from './gateway.fixture.ts';

const PAGE = await readFile(new URL('../../../docs/production.md', import.meta.url), 'utf8');
/** The page's `user` lines of redis.conf. */
const USERS = PAGE.split('\n').flatMap((line) => /^user (?!default)(.*)/.exec(line)?.[1] ?? []);

let redis: LocalRedis;
beforeAll(async () => {
  const args = USERS.flatMap((user) => ['--user', ...user.replace('PASSWORD', 'secret').split(' ')]);
  redis = await startLocalRedis({ args });
});
afterAll(() => redis.kill());

const as = (user: string) => ({ url: redis.url.replace('//', `//${user}:secret@`), logger: SILENT });
const price = (value: number) => ({ symbol: 'AAPL', price: value, timestamp: 1 });

it('gateway: publishes under a lease and records attempts; bot and reader only receive', async () => {
  await using connection = new RedisConnection(as('gateway'));
  await connection.publishing.connect();
  await using publisher = new RedisPublisher({ connection });
  const budget = new ConnectionBudget({
    connection,
    publisher,
    feed: 'f',
    limit: 1,
    windowMs: 60_000,
    logger: SILENT,
  });
  await budget.take(new AbortController().signal, (_, reason) => expect(reason).toBeUndefined());

  await using lease = new RedisLease({ channel: CHANNELS.PRICE_DATA, connection, ttlMs: 300 });
  await new Promise<void>((resolve) => {
    lease.on('gained', () => resolve());
    lease.start();
  });
  expect(lease.writer).toBeDefined();
  await using gateway = new RedisPublisher({ connection, lease });
  await gateway.publish(CHANNELS.PRICE_DATA, price(1));
  for (const user of ['bot', 'reader']) {
    await using subscriber = new RedisSubscriber(as(user));
    const received = new Promise((resolve) =>
      subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data, snapshot }) => resolve([data.price, snapshot])),
    );
    await subscriber.startListening();
    expect(await received).toEqual([1, true]);
  }
  await using bot = new RedisPublisher(as('bot'));
  await bot.publish(CHANNELS.TRADE_COMMANDS, { bot: 'b', reason: 'test' }, { type: 'pause' });
  await using reader = new RedisPublisher(as('reader'));
  await expect(
    reader.publish(CHANNELS.INSTRUMENT_STATUS, { symbol: 'A', feed: 'f', state: 'subscribed' }),
  ).rejects.toMatchObject({ code: 'TICKBUS_DENIED' });
  for (const user of ['bot', 'reader'])
    expect(await redis.answers(`AUTH ${user} secret`, 'PUBLISH PRICE_DATA {}')).toMatch(/^\+OK\r\n-NOPERM/);
});

it('a gateway without CLIENT KILL publishes by script', async () => {
  const narrow = USERS.find((user) => user.startsWith('gateway'))
    ?.replace('gateway', 'narrow')
    .replace('PASSWORD', 'secret');
  await using own = await startLocalRedis();
  await own.answers(`ACL SETUSER ${narrow} -client|list -client|kill`);
  const options = { url: own.url.replace('//', '//narrow:secret@'), logger: SILENT };
  await using lease = new RedisLease({ channel: CHANNELS.PRICE_DATA, ...options, ttlMs: 300 });
  await new Promise<void>((resolve) => {
    lease.on('gained', () => resolve());
    lease.start();
  });
  expect(lease.writer).toBeUndefined();
  await using gateway = new RedisPublisher({ ...options, lease });
  await gateway.publish(CHANNELS.PRICE_DATA, price(1));
});

it('operator: lacks no permission', async () => {
  await using admin = new RedisAdmin(as('operator'));
  await admin.connect();
  const refused = (await admin.permissions()).filter(
    ({ isAllowed, purpose }) => !isAllowed && purpose !== 'exclusive',
  );
  expect(refused).toEqual([]);
});

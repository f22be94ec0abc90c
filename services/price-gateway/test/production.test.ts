// The Redis users of docs/production.md have the permissions that they need.

import { setTimeout as sleep } from 'node:timers/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { acquireAndRelease, useLeasesOnce } from '@tickbus/test-kit/leases';
import { type Channel, RedisConnection, RedisLease } from 'tickbus';
import { RedisAdmin } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ConnectionBudget } from '../session/connection-budget.ts';
import { SILENT } from './gateway.fixture.ts';
import { as as optionsOf, startProductionRedis, USER_RULES } from './production-users.fixture.ts';

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startProductionRedis();
});
afterAll(() => redis.kill());

const as = (user: string) => optionsOf(redis, user);
const TRADE = { symbol: 'AAPL', price: 1, size: 1, timestamp: 1 };
const BAR = {
  symbol: 'AAPL',
  interval: '1m',
  start: 0,
  end: 60_000,
  open: 1,
  high: 1,
  low: 1,
  close: 1,
  volume: 1,
  trades: 1,
  complete: true,
  revision: 0,
};
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

  await useLeasesOnce(connection, CHANNELS.PRICE_DATA);
  await using lease = new RedisLease({ channel: CHANNELS.PRICE_DATA, connection, ttlMs: 60_000 });
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

it.each([
  ['gateway', CHANNELS.TRADES, 'bars'],
  ['bars', CHANNELS.BARS, 'gateway'],
] as const)(
  '%s: publishes on %s under a lease; bot and reader receive, and others do not publish',
  async (user, channel, other) => {
    await using connection = new RedisConnection(as(user));
    await connection.publishing.connect();
    await useLeasesOnce(connection, channel);
    await using lease = new RedisLease({ channel, connection, ttlMs: 60_000 });
    await new Promise<void>((resolve) => {
      lease.on('gained', () => resolve());
      lease.start();
    });
    expect(lease.writer).toBeDefined();
    await using holder = new RedisPublisher({ connection, lease });
    const payload = channel === CHANNELS.TRADES ? TRADE : BAR;
    const publish = (publisher: RedisPublisher) => publisher.publish(channel as Channel, payload);
    for (const receiver of ['bot', 'reader', user]) {
      await using subscriber = new RedisSubscriber(as(receiver));
      const received = new Promise((resolve) =>
        subscriber.subscribe(channel as Channel, ({ data }) => resolve(data)),
      );
      await subscriber.startListening();
      await publish(holder);
      expect(await received).toEqual(payload);
    }
    expect((await connection.publishing.read(channel)).entries).toHaveLength(3);
    await lease.release();
    for (const outsider of [other, 'bot', 'reader', 'monitor', 'doctor']) {
      await using publisher = new RedisPublisher(as(outsider));
      await expect(publish(publisher), outsider).rejects.toMatchObject({ code: 'TICKBUS_DENIED' });
    }
  },
);

it('a gateway without CLIENT KILL publishes by script', async () => {
  const narrow = USER_RULES.find((rules) => rules.startsWith('gateway'))?.replace('gateway', 'narrow');
  await using own = await startLocalRedis();
  await own.answers(`ACL SETUSER ${narrow} -client|list -client|kill`);
  const options = { url: own.url.replace('//', '//narrow:secret@'), logger: SILENT };
  await acquireAndRelease(CHANNELS.PRICE_DATA, options.url);
  await using lease = new RedisLease({ channel: CHANNELS.PRICE_DATA, ...options, ttlMs: 60_000 });
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

it.each(['bot', 'bars'])('%s: requests trades, and the gateway reads that', async (user) => {
  await using bot = new RedisSubscriber(as(user));
  const refused: unknown[] = [];
  bot.on('status', (status) => {
    if (/refused|failed/.test(status.type)) refused.push(status);
  });
  bot.subscribe(CHANNELS.TRADES, () => {}, { keys: [user] });
  bot.subscribe(CHANNELS.FEED_STATUS, () => {});
  await bot.startListening();
  await using gateway = new RedisPublisher(as('gateway'));
  while (!(await gateway.wanted(CHANNELS.TRADES)).has(user)) await sleep(20);
  await bot.close();
  expect((await gateway.wanted(CHANNELS.TRADES)).has(user)).toBe(false);
  expect(refused).toEqual([]);
});

it('bot: requests instruments, and publishes its status, commands and their results', async () => {
  await using bot = new RedisSubscriber(as('bot'));
  const refused: unknown[] = [];
  bot.on('status', (status) => {
    if (/refused|failed/.test(status.type)) refused.push(status);
  });
  const statuses: string[] = [];
  const results: string[] = [];
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['MSFT'] });
  bot.subscribe(CHANNELS.BOT_STATUS, ({ data }) => void statuses.push(data.bot));
  bot.subscribe(CHANNELS.COMMAND_RESULTS, ({ data }) => void results.push(data.bot));
  await bot.startListening();
  await using publisher = new RedisPublisher(as('bot'));
  await publisher.publish(CHANNELS.BOT_STATUS, { bot: 'b', state: 'running' });
  const result = { command_id: '1', bot: 'b', action: 'pause', outcome: 'done', by: 'b' } as const;
  await publisher.publish(CHANNELS.COMMAND_RESULTS, result);
  while (statuses.length === 0 || results.length === 0) await sleep(5);
  await using gateway = new RedisPublisher(as('gateway'));
  while (!(await gateway.wanted(CHANNELS.PRICE_DATA)).has('MSFT')) await sleep(20);
  await bot.close();
  expect((await gateway.wanted(CHANNELS.PRICE_DATA)).has('MSFT')).toBe(false);
  expect(refused).toEqual([]);
});

it('monitor: receives every channel with its last values, counts subscribers, sends and audits commands', async () => {
  await using monitor = new RedisSubscriber(as('monitor'));
  const refused: unknown[] = [];
  monitor.on('status', (status) => {
    if (/refused|failed/.test(status.type)) refused.push(status);
  });
  const seen = new Set<string>();
  for (const channel of Object.values(CHANNELS) as Channel[])
    monitor.subscribe(channel, ({ message_type }) => void seen.add(message_type));
  await monitor.startListening();
  await using publisher = new RedisPublisher(as('monitor'));
  await publisher.publish(CHANNELS.TRADE_COMMANDS, { bot: 'b', reason: 'test' }, { type: 'pause' });
  await publisher.publish(CHANNELS.AUDIT, {
    actor: 'a',
    tool: 'monitor',
    action: 'send_command',
    outcome: 'sent',
  });
  while (!seen.has('pause') || !seen.has('audit')) await sleep(5);
  await using admin = new RedisAdmin(as('monitor'));
  await admin.connect();
  const [stats] = await admin.channels([CHANNELS.AUDIT.name]);
  expect(stats).toMatchObject({ subscribers: 1, history: 1 });
  expect(refused).toEqual([]);
  await expect(publisher.publish(CHANNELS.PRICE_DATA, price(1))).rejects.toMatchObject({
    code: 'TICKBUS_DENIED',
  });
});

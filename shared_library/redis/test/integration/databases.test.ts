// Database numbers do not separate pub/sub: a channel that is used from two databases is refused, and nothing crosses.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, errorOf, silentLogger as logger } from '@tickbus/test-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RedisAdmin } from '../../admin.ts';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import type { TickbusError } from '../../errors.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { CHAT, pricePayload } from '../channels.fixture.ts';
import { closeAfterEach, connectPlainClient, createUser } from './integration.fixture.ts';

const { PRICE_DATA, TRADE_COMMANDS, BOT_STATUS } = CHANNELS;

let redis: LocalRedis;
const closing = closeAfterEach();
beforeEach(async () => {
  redis = await startLocalRedis();
});
afterEach(() => redis.kill());

interface Address {
  readonly db?: number;
  readonly namespace?: string;
  readonly url?: string;
}

function publisherOf(address: Address): RedisPublisher {
  const publisher = new RedisPublisher({ url: redis.url, ...address, sender: `db-${address.db}`, logger });
  closing.push(() => publisher.close());
  return publisher;
}

const order = (publisher: RedisPublisher) =>
  publisher.publish(TRADE_COMMANDS, { bot: 'b' }, { type: 'pause' });

function botOf(address: Address) {
  const subscriber = new RedisSubscriber({ url: redis.url, ...address, logger });
  closing.push(() => subscriber.close());
  const obeyed = new EventRecorder<string>();
  const forged = new EventRecorder<number>();
  subscriber.subscribe(TRADE_COMMANDS, ({ sender }) => obeyed.add(sender));
  subscriber.on('status', (status) => status.type === 'forged' && forged.add(status.count));
  return { subscriber, obeyed, forged };
}

function expectRefused(error: unknown, channel: string, [other, own]: readonly [number, number]): void {
  expect(error).toMatchObject({ code: 'TICKBUS_INVALID_OPTION', field: 'db' });
  const { message } = error as TickbusError;
  expect(message).toMatch(
    new RegExp(`^${channel} is used from database ${other} of Redis at .*database ${own}\\.`),
  );
  expect(message).toContain('TICKBUS_NAMESPACE');
  expect(message).toContain(`redis-cli -n ${other} DEL 'tickbus:{${channel}}:head'`);
}

describe('a channel that is used from database 0', () => {
  beforeEach(async () => {
    await order(publisherOf({ db: 0 }));
  });

  it('is refused to a publisher and a subscriber of database 1, before anything is sent', async () => {
    const { subscriber, obeyed } = botOf({ db: 0 });
    await subscriber.startListening();
    expectRefused(await errorOf(order(publisherOf({ db: 1 }))), 'TRADE_COMMANDS', [0, 1]);
    expectRefused(await errorOf(botOf({ db: 1 }).subscriber.startListening()), 'TRADE_COMMANDS', [0, 1]);
    await order(publisherOf({ db: 0 }));
    expect(await obeyed.reaches(1)).toEqual(['db-0']);
    const client = await connectPlainClient(`${redis.url}/1`, closing);
    expect(await client.keys('*')).toEqual([]);
  });

  it('stays usable in database 0, also for new programs', async () => {
    await errorOf(order(publisherOf({ db: 1 })));
    const { subscriber, obeyed } = botOf({ db: 0 });
    await subscriber.startListening();
    await order(publisherOf({ db: 0 }));
    expect(await obeyed.reaches(1)).toEqual(['db-0']);
  });

  it('does not concern other channels, or the same channel in a namespace', async () => {
    await publisherOf({ db: 1 }).publish(BOT_STATUS, { bot: 'b', state: 'running' });
    await publisherOf({ db: 1 }).publish(CHAT, { n: 1 });
    await order(publisherOf({ db: 1, namespace: 'paper' }));
    expectRefused(
      await errorOf(order(publisherOf({ db: 2, namespace: 'paper' }))),
      'paper:TRADE_COMMANDS',
      [1, 2],
    );
  });

  it('can be used from database 1 once its record is deleted, as the error says', async () => {
    const client = await connectPlainClient(redis.url, closing);
    const { message } = (await errorOf(order(publisherOf({ db: 1 })))) as TickbusError;
    const [, key = ''] = /redis-cli -n 0 DEL '([^']+)'/.exec(message) ?? [];
    expect(await client.del(key)).toBe(1);
    await order(publisherOf({ db: 1 }));
  });

  it('can be used from database 1 after a restart of Redis that kept the keys', async () => {
    await using kept = await startLocalRedis({ keepsData: true });
    await order(publisherOf({ url: kept.url, db: 0 }));
    await kept.answers('SAVE');
    await kept.stop();
    await kept.start();
    await order(publisherOf({ url: kept.url, db: 1 }));
  });

  it('is refused on the same connection again and again, and to the users of docs/production.md', async () => {
    const rules = [
      'allchannels',
      '~tickbus:*',
      '-@all',
      '+ping',
      '+select',
      '+subscribe',
      '+unsubscribe',
      '+eval',
    ];
    const reads = ['+evalsha', '+get', '+hmget', '+time', '+info'];
    const url = await createUser(redis, 'bot', ...rules, ...reads);
    const { subscriber } = botOf({ url, db: 1 });
    for (let attempt = 0; attempt < 2; attempt++)
      expectRefused(await errorOf(subscriber.startListening()), 'TRADE_COMMANDS', [0, 1]);
  });

  it('is not refused to a user who may not see that, but its messages are not delivered', async () => {
    const rules = ['allchannels', '~tickbus:*', '+@all', '-info'];
    const { subscriber, obeyed, forged } = botOf({ url: await createUser(redis, 'blind', ...rules), db: 1 });
    await subscriber.startListening();
    for (let count = 0; count < 3; count++) await order(publisherOf({ db: 0 }));
    await forged.reaches(1);
    expect(obeyed.items).toEqual([]);
  });
});

it('a bot in database 0 that came first obeys no order of a desk in database 1', async () => {
  const { subscriber, obeyed, forged } = botOf({ db: 0 });
  await subscriber.startListening();
  const desk = publisherOf({ db: 1 });
  for (let count = 0; count < 5; count++) expect(await order(desk)).toMatchObject({ receivers: 1 });
  await forged.reaches(1);
  expect(obeyed.items).toEqual([]);
  // The bot's own desk is the second to use the channel.
  expectRefused(await errorOf(order(publisherOf({ db: 0 }))), 'TRADE_COMMANDS', [1, 0]);
});

it('a lease is refused to a candidate in another database, from the first hold-off on', async () => {
  const candidate = (db: number) => {
    const lease = new RedisLease({ channel: PRICE_DATA, url: redis.url, db, ttlMs: 2_000, logger });
    closing.push(() => lease.close());
    return lease;
  };
  const [first, second] = [candidate(0), candidate(1)];
  const gained = new Promise<void>((resolve) => first.on('gained', () => resolve()));
  await first.start();
  await expect.poll(() => first.state).toBe('holding_off');
  await second.start();
  await gained;
  await expect.poll(() => second.problem).toMatch(/PRICE_DATA is used from database 0 of Redis/);
  expect([first.holds, second.holds]).toEqual([true, false]);
  const client = await connectPlainClient(`${redis.url}/1`, closing);
  expect(await client.keys('*')).toEqual([]);
});

it('a lease of a command channel is refused, too; a job can have a holder in each database', async () => {
  await order(publisherOf({ db: 0 }));
  await using connection = new RedisConnection({ url: redis.url, db: 1, logger });
  await connection.publishing.connect();
  const attempt = connection.publishing.lease(TRADE_COMMANDS).acquire(100);
  expectRefused(await errorOf(attempt), 'TRADE_COMMANDS', [0, 1]);
  const jobs = await Promise.all(
    [0, 1].map(async (db) => {
      const job = new RedisLease({ name: 'report', url: redis.url, db, ttlMs: 1_000, logger });
      closing.push(() => job.close());
      const gained = new Promise<void>((resolve) => job.on('gained', () => resolve()));
      await job.start();
      await gained;
      return job;
    }),
  );
  expect(jobs.map(({ holds }) => holds)).toEqual([true, true]);
});

it('RedisAdmin names the channels that another database uses', async () => {
  await publisherOf({ db: 3 }).publish(PRICE_DATA, pricePayload());
  await publisherOf({ db: 0, namespace: 'paper' }).publish(PRICE_DATA, pricePayload());
  const otherDatabases = async (address: Address) => {
    await using admin = new RedisAdmin({ url: redis.url, ...address, logger });
    await admin.connect();
    return await admin.otherDatabases([PRICE_DATA.name, BOT_STATUS.name]);
  };
  expect(await otherDatabases({ db: 0 })).toEqual(new Map([['PRICE_DATA', 3]]));
  expect(await otherDatabases({ db: 3 })).toEqual(new Map());
  expect(await otherDatabases({ db: 3, namespace: 'paper' })).toEqual(new Map([['PRICE_DATA', 0]]));
  const url = await createUser(redis, 'blind', 'allchannels', '~*', '+@all', '-info');
  expect(await otherDatabases({ url, db: 0 })).toBeUndefined();
});

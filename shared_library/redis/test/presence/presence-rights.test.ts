// Presence of users with some of the permissions, on a real server: none is reported as joined and then as gone.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { RecordingLogger, silentLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import { presenceList } from '../../presence.ts';
import { RedisPublisher } from '../../publisher.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { closeAfterEach, createUser } from '../integration/integration.fixture.ts';

const { PRESENCE, BOT_STATUS } = CHANNELS;

let redis: LocalRedis;
const closing = closeAfterEach();
/** As `name state`. */
let reports: string[];

beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());
beforeEach(async () => {
  reports = [];
  const { subscriber } = program(redis.url);
  subscriber.subscribe(PRESENCE, ({ data: { name, state } }) => void reports.push(`${name} ${state}`));
  await subscriber.startListening();
  // The default user: it is the keeper, whatever the tested user may do.
  const { subscriber: keeper } = program(redis.url, 'keeper');
  await keeper.startListening();
  await expect.poll(() => reports).toContain('keeper joined');
});

function program(url: string, name?: string) {
  const logger = new RecordingLogger();
  const connection = new RedisConnection({ url, logger: silentLogger });
  const subscriber = new RedisSubscriber({ connection, name, logger });
  subscriber.subscribe(BOT_STATUS, () => {});
  closing.push(async () => {
    await subscriber.close();
    await connection.close();
  });
  return { connection, subscriber, logger };
}

/** Another program ends without a word. When it is gone, so is everybody whose record has expired. */
async function untilOthersWouldBeGone(): Promise<void> {
  const { connection, subscriber } = program(redis.url, 'lost');
  await subscriber.startListening();
  await expect.poll(() => reports).toContain('lost joined');
  await connection.close();
  await expect.poll(() => reports).toContain('lost gone');
}

/** By name: users that lack one of the permissions for a record. */
const LIMITED = {
  'not-add': '~* &* +@all -zadd',
  'not-remove': '~* &* +@all -zrem',
  'not-sorted-sets': '~* &* +@all -@sortedset',
  'not-these-keys': '~tickbus:{BOT_STATUS}:* ~tickbus:{PRESENCE}:[^d]* &* +@all',
  'not-write': '%R~* &* +@all',
  'not-scripts': '~* &* +@all -@scripting',
};

it('users without the permissions for a record are never reported, and work', async () => {
  const publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
  closing.push(() => publisher.close());
  const users = await Promise.all(
    Object.entries(LIMITED).map(async ([name, rules]) => {
      const user = program(await createUser(redis, name, ...rules.split(' ')), name);
      const received: string[] = [];
      user.subscriber.subscribe(BOT_STATUS, ({ data }) => void received.push(data.bot));
      await user.subscriber.startListening();
      return { ...user, received };
    }),
  );
  // By then a record of another program has expired, which the server removes with the next declaration.
  await untilOthersWouldBeGone();
  await publisher.publish(BOT_STATUS, { bot: 'other', state: 'running' });
  for (const { received, subscriber, logger } of users) {
    await expect.poll(() => received).toContain('other');
    await subscriber.close();
    const warnings = logger.lines.filter(
      ({ level, message }) => level === 'warn' && /^Presence/.test(message),
    );
    expect(warnings).toHaveLength(1);
  }
  expect(reports.filter((report) => report.startsWith('not-'))).toEqual([]);
});

it('a user that may write records, and not publish PRESENCE, is reported by the keeper', async () => {
  const rules = '~* &BOT_STATUS &tickbus:* +@all'.split(' ');
  const { subscriber } = program(await createUser(redis, 'mute', ...rules), 'mute');
  await subscriber.startListening();
  await expect.poll(() => reports).toContain('mute joined');
  await untilOthersWouldBeGone();
  await subscriber.close();
  await expect.poll(() => reports).toContain('mute left');
  expect(reports.filter((report) => report.startsWith('mute'))).toEqual(['mute joined', 'mute left']);
});

it('a user that loses the permission is gone, and joins again with the next connection', async () => {
  const url = await createUser(redis, 'demoted', '~*', '&*', '+@all');
  const { connection, subscriber } = program(url, 'demoted');
  await subscriber.startListening();
  await expect.poll(() => reports).toContain('demoted joined');
  await redis.answers('ACL SETUSER demoted -zadd');
  await expect.poll(() => reports).toContain('demoted gone');
  expect((await presenceList(connection)).map(({ name }) => name)).not.toContain('demoted');
  await redis.answers('ACL SETUSER demoted +@all', 'CLIENT KILL USER demoted');
  await expect.poll(() => reports.slice(-1)).toEqual(['demoted joined']);
});

// Presence with the users of docs/production.md: who reports, who reads, and who may do neither.

import type { LocalRedis } from '@tickbus/local-redis';
import { RecordingLogger } from '@tickbus/test-kit';
import { presenceList, RedisConnection, RedisPublisher, RedisSubscriber } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { as, startProductionRedis } from './production-users.fixture.ts';

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startProductionRedis();
});
afterAll(() => redis.kill());

/** A program with a name that listens to prices, and what it logs. */
async function program(user: string, name: string) {
  const logger = new RecordingLogger();
  const connection = new RedisConnection({ ...as(redis, user), logger });
  const subscriber = new RedisSubscriber({ connection, name, logger });
  subscriber.subscribe(CHANNELS.PRICE_DATA, () => {});
  await subscriber.startListening();
  const close = async () => {
    await subscriber.close();
    await connection.close();
  };
  return { connection, subscriber, logger, close };
}

const problems = ({ lines }: RecordingLogger) => lines.filter(({ level }) => level === 'warn');

it.each(['bot', 'gateway', 'monitor'])('%s: joins, leaves, and reports another as gone', async (user) => {
  await using observing = new RedisConnection(as(redis, 'reader'));
  await using observer = new RedisSubscriber({ connection: observing });
  const seen: string[] = [];
  observer.subscribe(CHANNELS.PRESENCE, ({ data: { name, state } }) => void seen.push(`${name} ${state}`));
  await observer.startListening();
  const [witness, lost] = await Promise.all([
    program(user, `${user}-witness`),
    program(user, `${user}-lost`),
  ]);
  const isMine = ({ name }: { name: string }) => name.startsWith(user);
  expect((await presenceList(observing)).filter(isMine)).toHaveLength(2);
  // Its record is not renewed any more, as after a crash.
  await lost.connection.close();
  await expect.poll(() => seen).toContain(`${user}-lost gone`);
  await lost.close();
  await witness.close();
  await expect.poll(() => seen).toContain(`${user}-witness left`);
  expect(problems(witness.logger)).toEqual([]);
});

it.each(['reader', 'monitor', 'doctor', 'operator', 'bot', 'gateway'])(
  '%s: lists who is there',
  async (user) => {
    await using connection = new RedisConnection(as(redis, user));
    const bot = await program('bot', 'listed');
    expect((await presenceList(connection)).map(({ name }) => name)).toContain('listed');
    await bot.close();
  },
);

it('reader: works with a name, is not there, and logs that once', async () => {
  const { connection, logger, subscriber, close } = await program('reader', 'onlooker');
  const received: string[] = [];
  subscriber.subscribe(CHANNELS.FEED_STATUS, ({ data: { feed } }) => void received.push(feed));
  await using gateway = new RedisPublisher(as(redis, 'gateway'));
  await expect
    .poll(async () => {
      await gateway.publish(CHANNELS.FEED_STATUS, { feed: 'f', state: 'live', interval_ms: 1_000 });
      return received;
    })
    .toContain('f');
  expect((await presenceList(connection)).filter(({ name }) => name === 'onlooker')).toEqual([]);
  await close();
  expect(problems(logger).map(({ message }) => message)).toEqual([
    expect.stringContaining('Presence cannot be reported'),
  ]);
});

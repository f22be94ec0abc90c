// With the users of docs/production.md: who keeps the statuses of plain clients, and who may not.

import type { LocalRedis } from '@tickbus/local-redis';
import { RecordingLogger } from '@tickbus/test-kit';
import { createClient } from 'redis';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BotStatusAdopter } from '../bot-status-adopter.ts';
import { as, startProductionRedis } from './production-users.fixture.ts';

let redis: LocalRedis;
beforeAll(async () => {
  redis = await startProductionRedis();
});
afterAll(() => redis.kill());

async function publishPlain(bot: string): Promise<void> {
  const client = await createClient({ url: redis.url }).connect();
  const data = { bot, state: 'running' };
  const message = { message_type: 'bot_status', data, timestamp: 1, sender: 'python' };
  await client.publish('BOT_STATUS', JSON.stringify(message));
  client.destroy();
}

/** The bots that the user `bot` finds, and whether their statuses are adopted. */
async function stored(): Promise<Record<string, boolean>> {
  const found: Record<string, boolean> = {};
  await using late = new RedisSubscriber(as(redis, 'bot'));
  late.tap(CHANNELS.BOT_STATUS, ({ message }) => {
    found[message.data.bot] = message.adopted === true;
  });
  await late.startListening();
  return found;
}

it.each(['gateway', 'monitor', 'bot'])('%s may keep the status of a plain client', async (user) => {
  const logger = new RecordingLogger();
  await using subscriber = new RedisSubscriber({ ...as(redis, user), adopt: true, freshness: false, logger });
  subscriber.subscribe(CHANNELS.BOT_STATUS, () => {});
  await subscriber.startListening();
  await publishPlain(`by-${user}`);
  await expect.poll(stored).toMatchObject({ [`by-${user}`]: true });
  expect(logger.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
});

it('the gateway keeps it from its start to its end', async () => {
  const logger = new RecordingLogger();
  await using connection = new RedisConnection({ ...as(redis, 'gateway'), logger });
  const adopter = new BotStatusAdopter({ connection, logger });
  adopter.start();
  await expect
    .poll(async () => {
      await publishPlain('heard');
      return stored();
    })
    .toMatchObject({ heard: true });
  await adopter.close();
  await publishPlain('unheard');
  expect(await stored()).not.toHaveProperty('unheard');
});

it('a gateway that may not use BOT_STATUS says so, and runs on', async () => {
  const logger = new RecordingLogger();
  await using connection = new RedisConnection({ ...as(redis, 'bars'), logger });
  const adopter = new BotStatusAdopter({ connection, logger });
  adopter.start();
  await expect
    .poll(() => logger.lines.map(({ message }) => message))
    .toContain(
      'The gateway does not keep statuses of bots that are plain clients: it cannot read BOT_STATUS.',
    );
  await adopter.close();
});

it('a user who may not write last values logs it, and hears the messages', async () => {
  const channels = '&BOT_STATUS &tickbus:{*}:frames ~tickbus:*';
  const commands = '+ping +select +subscribe +unsubscribe +evalsha +eval +get +hmget +hscan +hlen +time';
  await redis.answers(`ACL SETUSER watcher on >secret resetchannels -@all ${channels} ${commands}`);
  const logger = new RecordingLogger();
  await using subscriber = new RedisSubscriber({ ...as(redis, 'watcher'), adopt: true, logger });
  const heard: string[] = [];
  subscriber.tap(CHANNELS.BOT_STATUS, ({ message, delivery }) => {
    if (delivery === 'live') heard.push(message.data.bot);
  });
  await subscriber.startListening();
  const warnings = () => logger.lines.filter(({ message }) => message.includes('may not write them'));
  await publishPlain('a');
  await expect.poll(warnings).toHaveLength(1);
  await publishPlain('b');
  await expect.poll(() => heard).toEqual(['a', 'b']);
  expect(warnings()).toHaveLength(1);
  expect(await stored()).not.toHaveProperty('a');
});

// The Redis users of docs/production.md for a namespace: they have the permissions that they need, and reach nothing of
// another desk.

import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { type Channel, RedisConnection, RedisLease } from 'tickbus';
import { RedisAdmin } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { as, USER_NAMES, USER_RULES } from './production-users.fixture.ts';

const PAGE = await readFile(new URL('../../../docs/production.md', import.meta.url), 'utf8');
/** The command of the page that makes the users of the namespace. */
const [, SCRIPT = ''] = /^sed -E '(.*user paper-.*)' tickbus\.conf$/m.exec(PAGE) ?? [];

/** What the command makes of the users, without the word `user`. */
function paperRules(): readonly string[] {
  const input = [...USER_RULES.map((rules) => `user ${rules}`), 'user default off', 'bind *', ''].join('\n');
  const output = String(execFileSync('sed', ['-E', SCRIPT], { input }));
  return output.split('\n').flatMap((line) => /^user (.*)/.exec(line)?.[1] ?? []);
}

let redis: LocalRedis;
beforeAll(async () => {
  const users = [...USER_RULES, ...paperRules()].flatMap((rules) => ['--user', ...rules.split(' ')]);
  redis = await startLocalRedis({ args: users });
});
afterAll(() => redis.kill());

const inPaper = (user: string) => ({ ...as(redis, `paper-${user}`), namespace: 'paper' });
const price = (value: number) => ({ symbol: 'AAPL', price: value, timestamp: 1 });
const pause = [CHANNELS.TRADE_COMMANDS, { bot: 'b' }, { type: 'pause' }] as const;

it('the command makes a user of the namespace from each user', () => {
  expect(paperRules().map((rules) => rules.split(' ')[0])).toEqual(USER_NAMES.map((name) => `paper-${name}`));
  for (const rules of paperRules()) {
    expect(rules).not.toMatch(/allchannels|&[A-Z]|tickbus:\{(?!paper:)|tickbus:\*/);
    expect(rules).toMatch(/&paper:[A-Z*]/);
  }
});

it.each(USER_NAMES)('%s has the same permissions in its namespace as without one', async (user) => {
  const permissionsOf = async (options: object) => {
    await using admin = new RedisAdmin(options);
    await admin.connect();
    return (await admin.permissions()).map(({ channel, purpose, isAllowed }) => [
      channel,
      purpose,
      isAllowed,
    ]);
  };
  const before = await permissionsOf(as(redis, user));
  expect(before.some(([, , isAllowed]) => isAllowed === true)).toBe(true);
  expect(await permissionsOf(inPaper(user))).toEqual(before);
});

it('gateway, bot and monitor work in the namespace', async () => {
  await using connection = new RedisConnection(inPaper('gateway'));
  await useLeasesOnce(connection, CHANNELS.PRICE_DATA);
  await using lease = new RedisLease({ connection, channel: CHANNELS.PRICE_DATA, ttlMs: 60_000 });
  const gained = new Promise<void>((resolve) => lease.on('gained', () => resolve()));
  await lease.start();
  await gained;
  expect(lease.writer).toBeDefined();
  await using gateway = new RedisPublisher({ ...inPaper('gateway'), lease });
  await gateway.publish(CHANNELS.PRICE_DATA, price(1));
  for (const user of ['bot', 'reader', 'monitor']) {
    await using subscriber = new RedisSubscriber(inPaper(user));
    const refused: unknown[] = [];
    subscriber.on('status', (status) => {
      if (/refused|failed/.test(status.type)) refused.push(status);
    });
    // Only the bot may request instruments.
    const filter = user === 'bot' ? { keys: ['AAPL'] } : {};
    const received = new Promise((resolve) =>
      subscriber.subscribe(CHANNELS.PRICE_DATA, ({ data }) => resolve(data.price), filter),
    );
    await subscriber.startListening();
    expect(await received).toBe(1);
    expect(refused).toEqual([]);
  }
  await using bot = new RedisSubscriber(inPaper('bot'));
  const seen = new Set<string>();
  for (const channel of [CHANNELS.TRADE_COMMANDS, CHANNELS.BOT_STATUS] as Channel[])
    bot.subscribe(channel, ({ message_type }) => void seen.add(message_type));
  await bot.startListening();
  await using publisher = new RedisPublisher(inPaper('bot'));
  await publisher.publish(CHANNELS.BOT_STATUS, { bot: 'b', state: 'running' });
  await using monitor = new RedisPublisher(inPaper('monitor'));
  await monitor.publish(...pause);
  while (seen.size < 2) await sleep(5);
});

it.each(USER_NAMES)('%s of the namespace reaches no channel and no key of the other desks', async (user) => {
  for (const namespace of [undefined, 'live']) {
    const options = { ...as(redis, `paper-${user}`), namespace };
    await using admin = new RedisAdmin(options);
    await admin.connect();
    const allowed = (await admin.permissions()).filter(({ isAllowed }) => isAllowed !== false);
    const touching = allowed.filter(({ command }) =>
      command.some((word) => /PRICE_DATA|[A-Z]_[A-Z]/.test(word)),
    );
    expect(touching).toEqual([]);
    await using publisher = new RedisPublisher(options);
    await expect(publisher.publish(...pause)).rejects.toMatchObject({ code: 'TICKBUS_DENIED' });
    await using subscriber = new RedisSubscriber(options);
    subscriber.subscribe(CHANNELS.PRICE_DATA, () => {});
    await expect(subscriber.startListening()).rejects.toMatchObject({ code: 'TICKBUS_DENIED' });
  }
});

it.each(USER_NAMES)(
  '%s without a namespace writes nothing of the namespace, unless it is the operator',
  async (user) => {
    await using publisher = new RedisPublisher({ ...as(redis, user), namespace: 'paper' });
    const published = publisher.publish(...pause);
    if (user === 'operator') await published;
    else await expect(published).rejects.toMatchObject({ code: 'TICKBUS_DENIED' });
  },
);

// The Redis users of docs/production.md for a channel with partitions: the gateway publishes on them, all users receive
// from them, and nobody else writes there.

import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { RedisConnection } from 'tickbus';
import { partitionName } from 'tickbus/admin';
import { CHANNELS } from 'tickbus/constants';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { as, USER_RULES } from './production-users.fixture.ts';

const PAGE = await readFile(new URL('../../../docs/production.md', import.meta.url), 'utf8');
/** The command of the page that adds the names of partitions. */
const [, SCRIPT = ''] = /^sed -E '(.*PRICE_DATA#.*)' tickbus\.conf$/m.exec(PAGE) ?? [];

const INPUT = [...USER_RULES.map((rules) => `user ${rules}`), 'user default off', 'bind * &PRICE_DATA', ''];
const OUTPUT = String(execFileSync('sed', ['-E', SCRIPT], { input: INPUT.join('\n') })).split('\n');

let redis: LocalRedis;
beforeAll(async () => {
  const rules = OUTPUT.flatMap((line) => /^user (\S+ on .*)/.exec(line)?.[1] ?? []);
  redis = await startLocalRedis({ args: rules.flatMap((each) => ['--user', ...each.split(' ')]) });
});
afterAll(() => redis.kill());

const PRICES = CHANNELS.PRICE_DATA;
const partition = {
  name: partitionName('PRICE_DATA', 3, 16),
  kind: 'state',
  history: 0,
  layout: 16,
} as const;
const message = { key: 'AAPL', json: '{"data":{"symbol":"AAPL"}}' };
const DENIED = { code: 'TICKBUS_DENIED' };

it('the command keeps all that the file has, and adds names to the users of the channel', () => {
  const added = OUTPUT.map((line) => line.match(/\S*PRICE_DATA#\S*/g) ?? []);
  const kept = OUTPUT.map((line) => line.replace(/\S*PRICE_DATA#\S* /g, ''));
  expect(kept).toEqual(INPUT);
  const counts = added.map((names) => names.length);
  expect(counts).toEqual(
    INPUT.map((line) => (/^user gateway /.test(line) ? 3 : / on .* &PRICE_DATA /.test(line) ? 1 : 0)),
  );
  expect(Math.max(...counts)).toBe(3);
});

it('the gateway sets partitions and publishes on them, and the other users receive', async () => {
  await using gateway = new RedisConnection(as(redis, 'gateway'));
  const { publishing } = gateway;
  await publishing.connect();
  const channels = [partition, { name: PRICES.name, kind: 'state', history: 0 } as const];
  const held = [];
  for (const channel of channels) {
    const lease = publishing.lease(channel);
    let attempt = await lease.acquire(20);
    for (; attempt.state !== 'held'; attempt = await lease.acquire(60_000)) await sleep(attempt.leftMs + 1);
    expect(await publishing.setPartitions(channel, 16, { token: attempt.token })).toBe(16);
    held.push(attempt);
  }
  const received: unknown[] = [];
  for (const user of ['bot', 'reader', 'monitor', 'doctor']) {
    await using connection = new RedisConnection(as(redis, user));
    const { subscribing } = connection;
    await subscribing.connect();
    let arrived = () => {};
    const seen = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    await subscribing.subscribe(partition, () => arrived());
    const writer = held[0]?.writer;
    while ((await writer?.publish([message])) === undefined) await sleep(1);
    await seen;
    received.push(user);
    expect(await subscribing.read(partition)).toMatchObject({ partitions: 16, entries: { length: 1 } });
    expect(await subscribing.head(PRICES)).toMatchObject({ partitions: 16 });
    // The tokens are right, so that only the permissions stop these calls.
    for (const [index, channel] of channels.entries()) {
      const token = held[index]?.token;
      await expect(subscribing.setPartitions(channel, 4, { token })).rejects.toMatchObject(DENIED);
      await expect(subscribing.publish(channel, [message], token)).rejects.toMatchObject(DENIED);
    }
  }
  expect(received).toHaveLength(4);
});

it('the gateway may not use the partitions of another channel', async () => {
  await using gateway = new RedisConnection(as(redis, 'gateway'));
  await gateway.publishing.connect();
  const other = { ...partition, name: partitionName('FEED_STATUS', 3, 16) };
  await expect(gateway.publishing.setPartitions(other, 16)).rejects.toMatchObject(DENIED);
  await expect(gateway.publishing.publish(other, [message])).rejects.toMatchObject(DENIED);
  await expect(
    gateway.subscribing.connect().then(() => gateway.subscribing.subscribe(other, () => {})),
  ).rejects.toMatchObject(DENIED);
});

// Users who may use few keys: a claim needs those of the lease, and what is stored only if it has to delete that.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { acquireAndRelease, leasedPublisher } from '@tickbus/test-kit/leases';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type Channel, defineChannel } from '../../channel/channel.ts';
import { RedisLease } from '../../lease.ts';
import { RedisPublisher } from '../../publisher.ts';
import { closeAfterEach, createUser } from './integration.fixture.ts';

const TIMEOUT = { timeout: 120_000 };
const COMMANDS =
  '+ping +eval +evalsha +get +set +del +pttl +pexpire +hmget +hset +hdel +xadd +xread +exists +time ' +
  '+info +publish +pubsub|numsub +multi +exec +watch +unwatch +client|setname +client|id +client|info ' +
  '+client|list +client|kill';
const messages = { note: z.object({ key: z.string(), other: z.string() }) };
const MESSAGE = { key: 'a', other: 'b' };

const closing = closeAfterEach();
let redis: LocalRedis;
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

/** A user who may use these keys of one channel. */
function userOf(name: string, ...keys: readonly string[]): Promise<string> {
  const rules = keys.map((key) => `~tickbus:{${name}}:${key}`);
  return createUser(redis, name.replace(':', '-'), ...COMMANDS.split(' '), `&${name}`, ...rules);
}

function candidate(url: string, options: { channel: Channel } | { name: string }): RedisLease {
  const lease = new RedisLease({ ...options, url, logger, ttlMs: 2_500 });
  closing.push(() => lease.close());
  return lease;
}

async function gain(lease: RedisLease): Promise<void> {
  const gained = new EventRecorder<unknown>();
  lease.on('gained', gained.add);
  await lease.start();
  await gained.first(() => true);
}

it.each([
  ['an event channel without history', { kind: 'event', key: 'key' }, ['head', 'lease', 'fence:*']],
  ['a state channel', { kind: 'state', key: 'key' }, ['head', 'lease', 'fence:*', 'last']],
] as const)('a user publishes under the lease of %s with its keys only', TIMEOUT, async (_, kind, keys) => {
  const name = kind.kind.toUpperCase();
  const channel = defineChannel(name, { ...kind, messages });
  await acquireAndRelease(channel, redis.url);
  const url = await userOf(name, ...keys);
  const lease = candidate(url, { channel });
  await gain(lease);
  expect(lease.writer).toBeDefined();
  const publisher = new RedisPublisher({ url, lease, logger, deadlineMs: 60_000 });
  closing.push(() => publisher.close());
  expect(await publisher.publish(channel, MESSAGE)).toMatchObject({ position: { seq: 1 } });
});

it('a user gains the lease of a job with the keys of the lease only', TIMEOUT, async () => {
  const url = await userOf('job:report', 'head', 'lease', 'fence:*');
  await gain(candidate(url, { name: 'report' }));
});

it('a claim that has to delete what is stored names the key that it may not delete', TIMEOUT, async () => {
  const name = 'REDEFINED';
  const former = defineChannel(name, { kind: 'state', key: 'other', messages });
  await (await leasedPublisher(former, redis.url))[Symbol.asyncDispose]();
  const channel = defineChannel(name, { kind: 'state', key: 'key', messages });
  const lease = candidate(await userOf(name, 'head', 'lease', 'fence:*', 'last'), { channel });
  await lease.start();
  await expect
    .poll(() => lease.problem ?? '')
    .toContain(`the user may not use DEL on tickbus:{${name}}:history. Give the user the permission`);
});

// Holders and candidates whose view of the server is out of date: deposed, still connected, or of another branch.

import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { RedisConnection, RedisPublisher } from '../../index.ts';
import {
  expireLease,
  HEAD_KEY,
  NO_VIOLATIONS,
  OTHER_BRANCH,
  STATE,
  urlWithout,
  useWriterHarness,
} from './exclusive-writer.fixture.ts';
import { until } from './integration.fixture.ts';

const TTL_MS = 60_000;

const { closing, open, scripts, sharedConnection } = useWriterHarness();

it('a candidate without CLIENT KILL may follow a holder that died with the last server process', async () => {
  const harness = await open();
  await harness.holder();
  await expireLease(harness);
  await harness.admin.hSet(HEAD_KEY, { lease_branch: OTHER_BRANCH, ttl: 20 });
  const url = await urlWithout(harness, '-client|kill');
  const connection = new RedisConnection({ url, logger: silentLogger });
  closing.push(() => connection.close());
  const lease = connection.publishing.lease(STATE);
  await lease.connect();
  const first = await lease.acquire(20);
  expect(first.state).toBe('holding_off');
  let attempt = first;
  while (attempt.state === 'holding_off') {
    await sleep(attempt.leftMs + 1);
    attempt = await lease.acquire(20);
  }
  expect(attempt.state).toBe('held');
});

describe('a deposed holder', () => {
  it('leaves batches in flight unknown if another branch ended its epoch, although the head is not lower', async () => {
    const harness = await open();
    const { publisher } = await harness.holder();
    await harness.publish(publisher, 1);
    harness.proxy.dropsReplies = true;
    const sent = harness.publish(publisher, 2);
    await until(() => harness.received.length === 3);
    // The server comes back without its latest data, before the holder has received the last reply.
    await harness.admin.hSet(HEAD_KEY, { branch: OTHER_BRANCH, seq: 1, b1: '' });
    await expireLease(harness);
    await harness.holder({ url: harness.redis.url });
    harness.proxy.dropsReplies = false;
    harness.proxy.cut();
    await sent;
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect(harness.countOf('TICKBUS_OUTCOME_UNKNOWN')).toBe(2);
  });
});

/**
 * CLIENT KILL does not reach the connection, as when the other claim arrives by replication, or after a server was
 * demoted and promoted again.
 */
describe('a holder whose connection stays open', () => {
  it('publishes nothing after another claim', async () => {
    const harness = await open();
    const { publisher } = await harness.holder();
    await harness.publish(publisher, 1);
    await expireLease(harness);
    const { client, commands } = await scripts(harness);
    expect(await commands.claim(client, TTL_MS, 'plain')).toMatchObject({ state: 'activated' });
    await harness.publish(publisher, 2);
    await harness.untilQuiet();
    expect(harness.received).toHaveLength(1);
    expect(harness.countOf('TICKBUS_FENCED')).toBe(2);
  });

  it('publishes nothing of the old epoch after its own resume on another connection has begun a new one', async () => {
    const harness = await open();
    const { publisher, lease } = await harness.holder();
    await harness.publish(publisher, 1);
    const epoch = Number(await harness.admin.hGet(HEAD_KEY, 'epoch'));
    await harness.admin.hSet(HEAD_KEY, 'epoch', '17');
    const { client, commands } = await scripts(harness);
    const place = { epoch, published: 1 };
    await commands.resume(client, TTL_MS, lease.token ?? 0, place, async () => {});
    await harness.publish(publisher, 2);
    await harness.untilQuiet();
    expect(harness.received).toHaveLength(1);
    expect(harness.countOf('published')).toBe(1);
  });

  it('publishes nothing of the old epoch after a shared publisher has begun a new one', async () => {
    const harness = await open();
    const { publisher } = await harness.holder();
    await harness.publish(publisher, 1);
    await expireLease(harness);
    await harness.admin.hSet(HEAD_KEY, 'branch', OTHER_BRANCH);
    const shared = new RedisPublisher({ url: harness.redis.url, logger: silentLogger });
    closing.push(() => shared.close());
    await harness.publish(shared, 1);
    await harness.publish(publisher, 2);
    await harness.untilQuiet();
    expect(harness.received.map(({ n }) => n)).toEqual([1, 2]);
    expect(harness.countOf('published')).toBe(2);
  });

  it('publishes nothing of its first batch after the server was emptied', async () => {
    const harness = await open();
    const { publisher } = await harness.holder();
    await harness.admin.flushAll();
    await harness.publish(publisher, 2);
    await harness.untilQuiet();
    expect(harness.received).toEqual([]);
    expect(harness.countOf('published')).toBe(0);
    expect(await harness.admin.exists(HEAD_KEY)).toBe(0);
  });
});

it('publish reports a retried command as forgotten if another branch may have forgotten its id', async () => {
  const harness = await open();
  const { publishing } = sharedConnection(harness);
  await publishing.connect();
  const channel = { name: 'COMMANDS', kind: 'command', history: 0 } as const;
  const idempotency = { id: 'a', rememberMs: 60_000 };
  const { first } = await publishing.publish(channel, [{ json: '{"n":1}', idempotency }]);
  await harness.admin
    .multi()
    .del('tickbus:{COMMANDS}:id:a')
    .hSet('tickbus:{COMMANDS}:head', { branch: OTHER_BRANCH })
    .exec();
  const retry = { json: '{"n":1}', idempotency: { ...idempotency, firstEpoch: first?.epoch ?? 0 } };
  const { repeated } = await publishing.publish(channel, [retry]);
  expect([...(repeated ?? [])]).toEqual([[0, 'forgotten']]);
});

// Fallback for candidates that cannot disconnect other writers: the token is the fence.

import { setTimeout as sleep } from 'node:timers/promises';
import { startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { acquireAndRelease } from '@tickbus/test-kit/leases';
import { describe, expect, it } from 'vitest';
import { RedisPublisher } from '../../index.ts';
import {
  expireLease,
  HEAD_KEY,
  LEASE_KEY,
  NO_VIOLATIONS,
  OTHER_BRANCH,
  STATE,
  urlWithout,
  useWriterHarness,
} from './exclusive-writer.fixture.ts';
import { connectPlainClient } from './integration.fixture.ts';

const { candidate, closing, open } = useWriterHarness();

describe('a candidate without the right to disconnect others', () => {
  it.each(['-client|kill', '-client|list', '-multi', '-watch'])(
    'publishes with its token as the fence (%s)',
    async (right) => {
      const harness = await open();
      const url = await urlWithout(harness, right);
      // Then the server holds nobody off, and the lease needs no short TTL, which could expire before the publish.
      await acquireAndRelease(STATE, harness.redis.url);
      const { lease, gained, logger } = candidate(url);
      await lease.start();
      await gained;
      expect(lease.writer).toBeUndefined();
      expect(logger.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
        expect.stringContaining('CLIENT LIST and CLIENT KILL'),
      ]);
      const publisher = new RedisPublisher({ url: harness.redis.url, lease, logger: silentLogger });
      closing.push(() => publisher.close());
      await harness.publish(publisher, 20);
      await harness.untilQuiet();
      expect(harness.violations).toEqual(NO_VIOLATIONS);
      expect(harness.received).toHaveLength(20);
    },
  );

  it('never follows an exclusive writer that did not release, and logs the reason', async () => {
    const harness = await open();
    const url = await urlWithout(harness, '-client|kill');
    const holder = await harness.holder();
    await harness.publish(holder.publisher, 1);
    const { lease, gained, logger } = candidate(url, 200);
    await expireLease(harness);
    await lease.start();
    const warned = () => logger.lines.find(({ message }) => message.includes('cannot be taken over'));
    while (warned() === undefined) await sleep(5);
    expect(lease.state).toBe('standby');
    expect(await harness.admin.get(LEASE_KEY)).toBeNull();
    await holder.lease.confirm();
    await holder.lease.release();
    await gained;
    expect(lease.holds).toBe(true);
  });

  it('uses the token if a proxy shares connections', async () => {
    const harness = await open();
    const url = await urlWithout(harness, '-client|info');
    const { lease, gained, logger } = candidate(url, 300);
    await lease.start();
    await gained;
    expect(lease.writer).toBeUndefined();
    expect(logger.lines.some(({ message }) => message.includes('CLIENT INFO'))).toBe(true);
  });
});

it('publish rejects with TICKBUS_DENIED and a candidate logs the error if the user may not use INFO', async () => {
  const harness = await open();
  const url = await urlWithout(harness, '-info');
  const publisher = new RedisPublisher({ url, logger: silentLogger });
  closing.push(() => publisher.close());
  await expect(publisher.publish(STATE, { key: 'a', n: 1 })).rejects.toMatchObject({
    code: 'TICKBUS_DENIED',
    message: expect.stringContaining('INFO'),
  });
  const { lease, logger } = candidate(url);
  await lease.start();
  while (!logger.lines.some(({ text }) => text.includes('INFO'))) await sleep(5);
  expect(lease.state).toBe('standby');
});

it('a shared publish begins a new epoch after a restart from an older snapshot', async () => {
  const redis = await startLocalRedis({ args: ['--enable-debug-command', 'yes'] });
  closing.push(() => redis.kill());
  const admin = await connectPlainClient(redis.url, closing);
  const publisher = new RedisPublisher({ url: redis.url, logger: silentLogger });
  closing.push(() => publisher.close());
  const first = await publisher.publish(STATE, { key: 'a', n: 1 });
  // After a restart from a snapshot, the channel head is the same but the server is on another branch.
  await admin.hSet(HEAD_KEY, 'branch', OTHER_BRANCH);
  const second = await publisher.publish(STATE, { key: 'a', n: 2 });
  expect(second.position?.seq).toBe(1);
  expect(second.position?.epoch).toBeGreaterThan(first.position?.epoch ?? 0);
});

describe('a candidate behind a proxy that shares connections', () => {
  it.each([
    ['id', (text: string) => text.replace(/\bid=(\d)/g, (_, digit) => `id=${(Number(digit) + 1) % 10}`)],
    ['name', (text: string) => text.replace(/ name=[^ ]/g, ' name=-')],
  ])('uses the token if CLIENT INFO shows the %s of another connection', async (_, replaced) => {
    const harness = await open();
    await (await harness.holder())[Symbol.asyncDispose]();
    harness.proxy.onReply = (bytes) => Buffer.from(replaced(bytes.toString('latin1')), 'latin1');
    const { lease, gained, logger } = candidate(harness.proxy.url);
    await lease.start();
    await gained;
    expect(lease.writer).toBeUndefined();
    expect(logger.lines.some(({ message }) => message.includes('CLIENT INFO'))).toBe(true);
  });
});

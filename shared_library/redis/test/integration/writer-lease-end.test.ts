// End of an exclusive lease: lost, released, or reserved by a candidate that died.

import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { defineChannel, RedisLease, RedisPublisher } from '../../index.ts';
import {
  expireLease,
  HEAD_KEY,
  LEASE_KEY,
  OTHER_BRANCH,
  STATE,
  useWriterHarness,
} from './exclusive-writer.fixture.ts';
import { until } from './integration.fixture.ts';

const { candidate, closing, open } = useWriterHarness();

describe('a lease without a live holder', () => {
  it('is lost after a drop with reconnect: false, and acquired again', async () => {
    const harness = await open();
    await (await harness.holder({ url: harness.redis.url }))[Symbol.asyncDispose]();
    const lease = new RedisLease({
      channel: STATE,
      url: harness.proxy.url,
      ttlMs: 1_000,
      reconnect: false,
      logger: silentLogger,
    });
    closing.push(() => lease.close());
    const lost = new Promise<void>((resolve) => lease.on('lost', () => resolve()));
    await lease.start();
    await until(() => lease.holds);
    harness.proxy.cut();
    await lost;
    // The former holder connects again as a candidate.
    await until(() => lease.holds);
    expect(lease.writer?.room).toBe(4);
  });

  it('is released by the resume if the release was lost with its link', async () => {
    const harness = await open();
    const { lease } = await harness.holder();
    harness.proxy.dropsReplies = true;
    const released = lease.release();
    await sleep(20);
    harness.proxy.dropsReplies = false;
    harness.proxy.cut();
    await released;
    const next = candidate(harness.redis.url);
    await next.lease.start();
    await next.gained;
  });

  it('does not fence shared publishers after a release, although a candidate reserved it and died', async () => {
    const harness = await open();
    await (await harness.holder())[Symbol.asyncDispose]();
    // The candidate reserves the lease and cannot complete its claim.
    harness.proxy.onRequest = (bytes) => {
      if (bytes.includes('CLIENT\r\n$4\r\nLIST')) harness.proxy.cut();
    };
    const violations = candidate(harness.proxy.url, 300);
    await violations.lease.start();
    while ((await harness.admin.exists(LEASE_KEY)) === 0) await sleep(2);
    await violations.lease.close();
    const publisher = new RedisPublisher({ url: harness.redis.url, logger: silentLogger });
    closing.push(() => publisher.close());
    while ((await harness.admin.exists(LEASE_KEY)) === 1) await sleep(5);
    await harness.publish(publisher, 2);
    expect(harness.countOf('published')).toBe(2);
  });

  it('passes to another candidate if the first one cannot complete its claim', async () => {
    const harness = await open();
    await (await harness.holder({ url: harness.redis.url }))[Symbol.asyncDispose]();
    harness.proxy.onRequest = (bytes) => {
      if (bytes.includes('CLIENT\r\n$4\r\nLIST')) harness.proxy.cut();
    };
    const violations = candidate(harness.proxy.url, 300);
    await violations.lease.start();
    await sleep(50);
    const healthy = candidate(harness.redis.url, 300);
    await healthy.lease.start();
    await healthy.gained;
    expect(violations.lease.holds).toBe(false);
  });
});

it('shared publishers can publish after any number of restarts if the last holder did not release', async () => {
  const harness = await open();
  const { publisher: holder } = await harness.holder();
  await harness.publish(holder, 1);
  await expireLease(harness);
  await harness.admin.hSet(HEAD_KEY, 'branch', OTHER_BRANCH);
  const publisher = new RedisPublisher({ url: harness.redis.url, logger: silentLogger });
  closing.push(() => publisher.close());
  await harness.publish(publisher, 1);
  await harness.publish(publisher, 2);
  expect(harness.countOf('published')).toBe(4);
});

it('publishes on a channel with a non-ASCII name', async () => {
  const channel = defineChannel('Kurse-ü-価格', { kind: 'state', key: 'key', messages: STATE.messages });
  const harness = await open([], channel as never);
  const { publisher, lease } = await harness.holder();
  expect(lease.writer).toBeDefined();
  await harness.publish(publisher, 20);
  await harness.untilQuiet();
  expect(harness.received).toHaveLength(20);
});

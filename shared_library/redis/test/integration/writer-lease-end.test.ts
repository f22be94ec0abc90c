// End of an exclusive lease: lost, released, or reserved by a candidate that died.

import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { defineChannel, RedisLease, RedisPublisher } from '../../index.ts';
import { expireLease, STATE, WriterWorld, writerWorlds } from './exclusive-writer.fixture.ts';

const { candidate, closing, open } = writerWorlds();

const HEAD = 'tickbus:{STATE}:head';

describe('a lease without a live holder', () => {
  it('is lost after a drop with reconnect: false, and acquired again', async () => {
    const world = await open();
    await (await world.holder({ url: world.redis.url }))[Symbol.asyncDispose]();
    const lease = new RedisLease({
      channel: STATE,
      url: world.proxy.url,
      ttlMs: 1_000,
      reconnect: false,
      logger: silentLogger,
    });
    closing.push(() => lease.close());
    const lost = new Promise<void>((resolve) => lease.on('lost', () => resolve()));
    await lease.start();
    await until(() => lease.holds);
    world.proxy.cut();
    await lost;
    // As a candidate it connects again.
    await until(() => lease.holds);
    expect(lease.writer?.room).toBe(4);
  });

  it('is released by the resume if the release was lost with its link', async () => {
    const world = await open();
    const { lease } = await world.holder();
    world.proxy.dropsReplies = true;
    const released = lease.release();
    await sleep(20);
    world.proxy.dropsReplies = false;
    world.proxy.cut();
    await released;
    const next = candidate(world.redis.url);
    await next.lease.start();
    await next.gained;
  });

  it('does not fence shared publishers after a release, although a candidate reserved it and died', async () => {
    const world = await open();
    await (await world.holder())[Symbol.asyncDispose]();
    // The candidate reserves the lease and cannot complete its claim.
    world.proxy.onRequest = (bytes) => {
      if (bytes.includes('CLIENT\r\n$4\r\nLIST')) world.proxy.cut();
    };
    const broken = candidate(world.proxy.url, 300);
    await broken.lease.start();
    while ((await world.admin.exists('tickbus:{STATE}:lease')) === 0) await sleep(2);
    await broken.lease.close();
    const publisher = new RedisPublisher({ url: world.redis.url, logger: silentLogger });
    closing.push(() => publisher.close());
    while ((await world.admin.exists('tickbus:{STATE}:lease')) === 1) await sleep(5);
    await world.publish(publisher, 2);
    expect(world.count('published')).toBe(2);
  });

  it('passes to another candidate if the first one cannot complete its claim', async () => {
    const world = await open();
    await (await world.holder({ url: world.redis.url }))[Symbol.asyncDispose]();
    world.proxy.onRequest = (bytes) => {
      if (bytes.includes('CLIENT\r\n$4\r\nLIST')) world.proxy.cut();
    };
    const broken = candidate(world.proxy.url, 300);
    await broken.lease.start();
    await sleep(50);
    const healthy = candidate(world.redis.url, 300);
    await healthy.lease.start();
    await healthy.gained;
    expect(broken.lease.holds).toBe(false);
  });
});

it('shared publishers can publish after any number of restarts if the last holder did not release', async () => {
  const world = await open();
  const { publisher: holder } = await world.holder();
  await world.publish(holder, 1);
  await expireLease(world);
  await world.admin.hSet(HEAD, 'branch', `${'0'.repeat(40)}:${'0'.repeat(40)}`);
  const publisher = new RedisPublisher({ url: world.redis.url, logger: silentLogger });
  closing.push(() => publisher.close());
  await world.publish(publisher, 1);
  await world.publish(publisher, 2);
  expect(world.count('published')).toBe(4);
});

it('publishes on a channel with a non-ASCII name', async () => {
  const channel = defineChannel('Kurse-ü-価格', { kind: 'state', key: 'key', messages: STATE.messages });
  const world = await WriterWorld.open(channel as never);
  closing.push(() => world[Symbol.asyncDispose]());
  const { publisher, lease } = await world.holder();
  expect(lease.writer).toBeDefined();
  await world.publish(publisher, 20);
  await world.quiet();
  expect(world.heard).toHaveLength(20);
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}

// The right to write a channel: claims, takeovers, and servers that forget or reject writes.

import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@tickbus/test-kit';
import { acquireAndRelease } from '@tickbus/test-kit/leases';
import { describe, expect, it } from 'vitest';
import { defineChannel, RedisConnection, RedisPublisher, RedisSubscriber } from '../../index.ts';
import {
  expireLease,
  HEAD_KEY,
  NO_VIOLATIONS,
  STATE,
  untilDetached,
  urlWithout,
  useWriterHarness,
  type WriterHarness,
} from './exclusive-writer.fixture.ts';
import { connectPlainClient } from './integration.fixture.ts';

const { candidate, closing, open } = useWriterHarness();

/** A channel of which the server stores no messages. */
const ALERTS = defineChannel('ALERTS', { kind: 'event', key: 'key', messages: STATE.messages });

async function subscriberTo({ redis }: WriterHarness) {
  const subscriber = new RedisSubscriber({ url: redis.url, logger: silentLogger });
  closing.push(() => subscriber.close());
  const gaps: { cause: string; from: number | undefined; to: number | undefined }[] = [];
  const invalid: unknown[] = [];
  subscriber.on('gap', ({ cause, from, to }) => gaps.push({ cause, from, to }));
  subscriber.on('invalid_message', (report) => invalid.push(report));
  subscriber.subscribe(STATE, () => {});
  await subscriber.startListening();
  return { subscriber, gaps, invalid };
}

describe('a deposed holder', () => {
  it('publishes nothing that was still in its socket after a takeover', async () => {
    const harness = await open();
    const { publisher } = await harness.holder();
    await harness.publish(publisher, 2);
    harness.proxy.holdsRequests = true;
    const sent = harness.publish(publisher, 20);
    await sleep(10);
    await expireLease(harness);
    const next = await harness.holder({ url: harness.redis.url });
    await next.publisher.publish(STATE, { key: 'x', n: 1_000 });
    harness.proxy.release();
    await sent;
    await harness.untilQuiet();
    expect(harness.received.map(({ n }) => n)).toEqual([1, 2, 1_000]);
    expect(harness.countOf('TICKBUS_FENCED')).toBe(20);
  });

  it('publish rejects with TICKBUS_FENCED under a token that a later holder replaced', async () => {
    const harness = await open();
    const url = await urlWithout(harness, '-client|kill');
    await acquireAndRelease(STATE, harness.redis.url);
    const old = candidate(url);
    await old.lease.start();
    await old.gained;
    const publisher = new RedisPublisher({ url, lease: old.lease, logger: silentLogger });
    closing.push(() => publisher.close());
    await publisher.publish(STATE, { key: 'x', n: 1 });
    const { token } = old.lease;
    await old.lease.release();
    const next = candidate(url);
    await next.lease.start();
    await next.gained;
    const connection = new RedisConnection({ url, logger: silentLogger });
    closing.push(() => connection.close());
    await connection.publishing.connect();
    await expect(
      connection.publishing.publish(STATE, [{ json: '{"a":1}', key: 'x' }], token),
    ).rejects.toMatchObject({
      code: 'TICKBUS_FENCED',
      message: expect.stringMatching(
        /: another process holds the lease of STATE: .*, since .*Z\. Nothing was published\. Only the holder, .*may publish there/,
      ),
    });
  });
});

describe('a claim', () => {
  it('disconnects only connections named as a writer of this channel and database', async () => {
    const harness = await open();
    const names = ['tickbus:0:STATE', 'tickbus:0:STATE2', 'tickbus:1:STATE', 'tickbus:0:STAT'];
    const clients = await Promise.all(
      names.map(async (name) => {
        const client = await connectPlainClient(harness.redis.url, closing);
        await client.sendCommand(['CLIENT', 'SETNAME', name]);
        let isOpen = true;
        client.on('error', () => {
          isOpen = false;
        });
        return { name, isOpen: () => isOpen };
      }),
    );
    const { publisher } = await harness.holder();
    await harness.publish(publisher, 2);
    while (clients[0]?.isOpen()) await sleep(5);
    expect(clients.filter(({ isOpen }) => isOpen()).map(({ name }) => name)).toEqual(names.slice(1));
    expect(harness.violations).toEqual(NO_VIOLATIONS);
  });

  it('is granted to exactly one of two candidates that start at the same moment', async () => {
    const harness = await open();
    await (await harness.holder())[Symbol.asyncDispose]();
    for (let round = 0; round < 10; round++) {
      const both = [candidate(harness.redis.url), candidate(harness.redis.url)];
      await Promise.all(both.map(({ lease }) => lease.start()));
      await Promise.race(both.map(({ gained }) => gained));
      await sleep(50);
      expect(both.filter(({ lease }) => lease.holds)).toHaveLength(1);
      await Promise.all(both.map(({ lease }) => lease.close()));
    }
  });

  it('waits until a foreign script that blocks the server ends', async () => {
    const harness = await open(['--busy-reply-threshold', '20']);
    await (await harness.holder())[Symbol.asyncDispose]();
    const next = candidate(harness.redis.url);
    await next.lease.start();
    const busy = await connectPlainClient(harness.redis.url, closing);
    const spin = `local t = redis.call('TIME') repeat local n = redis.call('TIME') until (n[1] - t[1]) * 1000 + (n[2] - t[2]) / 1000 > 300`;
    await busy.eval(spin);
    await next.gained;
    expect(next.lease.writer).toBeDefined();
  });
});

describe('a server that lost memory', () => {
  it('executes no batch after FLUSHALL, and subscribers report the gap', async () => {
    const harness = await open();
    const { gaps } = await subscriberTo(harness);
    const { publisher, lease } = await harness.holder();
    const lost = new Promise((resolve) => lease.on('lost', resolve));
    await harness.publish(publisher, 3);
    await harness.admin.flushAll();
    await harness.publish(publisher, 2);
    await lost;
    await harness.untilQuiet();
    expect(harness.received).toHaveLength(3);
    expect(harness.countOf('published')).toBe(3);
    while (!gaps.some(({ cause }) => cause === 'epoch')) await sleep(10);
  });

  it('begins a new epoch after a reload of an older memory of the same branch', async () => {
    const harness = await open();
    const { gaps, invalid } = await subscriberTo(harness);
    const { publisher, lease } = await harness.holder();
    await harness.publish(publisher, 3);
    await harness.admin.sendCommand(['SAVE']);
    await harness.publish(publisher, 3);
    await harness.admin.sendCommand(['DEBUG', 'RELOAD', 'NOSAVE']);
    harness.proxy.cut();
    await untilDetached(lease);
    await harness.publish(publisher, 3);
    await harness.untilQuiet();
    const epochs = [...new Set(harness.received.map(({ epoch }) => epoch))];
    expect(epochs).toHaveLength(2);
    expect(harness.received.slice(-3).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    while (gaps.length === 0) await sleep(10);
    expect(gaps[0]).toEqual({ cause: 'epoch', from: 7, to: undefined });
    expect(invalid).toEqual([]);
  });

  it('makes a shared writer begin a new epoch, by the position that the writer has seen', async () => {
    const harness = await open();
    const publisher = new RedisPublisher({ url: harness.redis.url, logger: silentLogger });
    closing.push(() => publisher.close());
    await harness.publish(publisher, 3);
    await harness.admin.sendCommand(['SAVE']);
    await harness.publish(publisher, 3);
    await harness.admin.sendCommand(['DEBUG', 'RELOAD', 'NOSAVE']);
    await harness.publish(publisher, 1);
    await harness.untilQuiet();
    expect(new Set(harness.received.map(({ epoch }) => epoch)).size).toBe(2);
    expect(harness.violations).toEqual(NO_VIOLATIONS);
  });

  // As after a failover: the server's data contain the lease, but are of another branch or lack the latest messages.
  it.each([
    ['of another branch', { branch: 'another' }],
    ['below what was published', { seq: 2 }],
    ['of another epoch', { epoch: 17 }],
  ])(
    'is detected by the renewal of a writer whose link stays connected, if its head is %s',
    async (_, older) => {
      const harness = await open();
      const { publisher, lease } = await harness.holder();
      await harness.publish(publisher, 3);
      await harness.admin.hSet(HEAD_KEY, older);
      lease.confirm();
      await untilDetached(lease);
      await harness.publish(publisher, 2);
      await harness.untilQuiet();
      expect(harness.received.map(({ seq }) => seq)).toEqual([1, 2, 3, 1, 2]);
      expect(harness.violations).toEqual(NO_VIOLATIONS);
    },
  );

  it('executes no batch after its fence is deleted; every batch is resent in order', async () => {
    const harness = await open();
    const { publisher } = await harness.holder();
    await harness.publish(publisher, 2);
    const epoch = await harness.admin.hGet(HEAD_KEY, 'epoch');
    const fence = `tickbus:{STATE}:fence:${epoch}`;
    harness.proxy.holdsRequests = true;
    const sent: Promise<void>[] = [];
    for (const size of [3, 12, 2, 1]) {
      sent.push(harness.publish(publisher, size));
      await sleep(2);
    }
    await harness.admin.del(fence);
    harness.proxy.release();
    // The writer reconnects, sees that the epoch continues, and resends every batch in order.
    await Promise.all(sent);
    await harness.untilQuiet();
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect(harness.received.map(({ seq }) => seq)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
    expect(await harness.admin.hGet(HEAD_KEY, 'epoch')).toBe(epoch);
    expect(await harness.admin.exists(fence)).toBe(1);
  });

  it('executes no batch of several after FLUSHALL', async () => {
    const harness = await open();
    const { publisher } = await harness.holder();
    await harness.publish(publisher, 2);
    harness.proxy.holdsRequests = true;
    const sent: Promise<void>[] = [];
    for (const size of [3, 12, 2]) {
      sent.push(harness.publish(publisher, size));
      await sleep(2);
    }
    await harness.admin.flushAll();
    harness.proxy.release();
    await Promise.all(sent);
    await harness.untilQuiet();
    expect(harness.received).toHaveLength(2);
    expect(harness.countOf('TICKBUS_OUTCOME_UNKNOWN')).toBe(0);
    expect(await harness.admin.exists(HEAD_KEY)).toBe(0);
  });

  it('makes batches of a deposed holder reject with TICKBUS_OUTCOME_UNKNOWN', async () => {
    const harness = await open();
    const { publisher } = await harness.holder();
    await harness.admin.sendCommand(['SAVE']);
    await harness.publish(publisher, 3);
    harness.proxy.dropsReplies = true;
    const sent = harness.publish(publisher, 2);
    await sleep(20);
    await harness.admin.sendCommand(['DEBUG', 'RELOAD', 'NOSAVE']);
    await expireLease(harness);
    await harness.holder({ url: harness.redis.url });
    harness.proxy.dropsReplies = false;
    harness.proxy.cut();
    await sent;
    expect([harness.outcomes.get(4), harness.outcomes.get(5)]).toEqual(
      Array(2).fill('TICKBUS_OUTCOME_UNKNOWN'),
    );
  });
});

describe('a server that rejects writes', () => {
  it('publishes nothing of a large batch on a channel without storage, and uses its numbers once', async () => {
    const harness = await open([], ALERTS as never);
    const { publisher } = await harness.holder();
    await harness.publish(publisher, 20);
    await harness.admin.configSet('min-replicas-to-write', '1');
    await harness.publish(publisher, 20);
    await harness.admin.configSet('min-replicas-to-write', '0');
    await harness.publish(publisher, 20);
    await harness.untilQuiet();
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect(harness.countOf('TICKBUS_SERVER_ERROR')).toBe(20);
    expect(harness.received.map(({ seq }) => seq)).toEqual(
      Array.from({ length: 40 }, (_, index) => index + 1),
    );
  });
});

// Claims, resumes and releases that interleave with other changes between two protocol steps.

import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { RedisLease } from '../../index.ts';
import {
  expireLease,
  HEAD_KEY,
  LEASE_KEY,
  NO_VIOLATIONS,
  STATE,
  untilDetached,
  useWriterHarness,
  type WriterHarness,
} from './exclusive-writer.fixture.ts';
import { clientList, connectPlainClient, until } from './integration.fixture.ts';

const WRITER_NAME = 'tickbus:0:STATE';
/** The command CLIENT ID in the bytes of a request. */
const CLIENT_ID = 'CLIENT\r\n$2\r\nID';
const TTL_MS = 60_000;

const { closing, connectedCandidate, open, scripts } = useWriterHarness();

async function writerIds({ redis }: WriterHarness): Promise<string[]> {
  const lines = (await clientList(redis)).filter((line) => line.includes(` name=${WRITER_NAME} `));
  return lines.map((line) => line.split(' ')[0] ?? '');
}

describe('a claim', () => {
  it('is not granted if another candidate claims the lease between its two scripts', async () => {
    const harness = await open();
    await (await harness.holder())[Symbol.asyncDispose]();
    const lease = await connectedCandidate(harness);
    const stopped = harness.proxy.stopAt(CLIENT_ID);
    const claimed = lease.acquire(TTL_MS);
    const release = await stopped;
    await expireLease(harness);
    const next = await harness.holder({ url: harness.redis.url });
    const { token } = next.lease;
    release();
    // The holder may disconnect the late candidate before the reply to its claim arrives.
    const attempt = await claimed.catch(() => undefined);
    expect(attempt?.state).not.toBe('held');
    await harness.publish(next.publisher, 2);
    expect(harness.countOf('published')).toBe(2);
    expect(next.lease.token).toBe(token);
  });

  it('disconnects no writer if the lease is held', async () => {
    const harness = await open();
    const { publisher } = await harness.holder({ url: harness.redis.url });
    await harness.publish(publisher, 1);
    const ids = await writerIds(harness);
    const lease = await connectedCandidate(harness);
    expect(await lease.acquire(TTL_MS)).toMatchObject({ state: 'taken' });
    expect(ids).toHaveLength(1);
    expect(await writerIds(harness)).toEqual(ids);
  });

  it('is rejected if the server is emptied before the candidate watches the fence', async () => {
    const harness = await open();
    await (await harness.holder())[Symbol.asyncDispose]();
    const lease = await connectedCandidate(harness);
    const stopped = harness.proxy.stopAt('UNWATCH');
    const claimed = lease.acquire(TTL_MS);
    const release = await stopped;
    await harness.admin.flushAll();
    release();
    await expect(claimed).rejects.toThrow();
  });

  it('retries its second script while a foreign script blocks the server', async () => {
    const harness = await open();
    await (await harness.holder())[Symbol.asyncDispose]();
    await harness.admin.configSet('busy-reply-threshold', '20');
    const lease = await connectedCandidate(harness);
    const stopped = harness.proxy.stopAt(':fence:');
    const claimed = lease.acquire(TTL_MS);
    const release = await stopped;
    const endless = await connectPlainClient(harness.redis.url, closing);
    const killed = endless.eval('while true do end').catch(() => {});
    while (await harness.admin.ping().catch(() => undefined)) await sleep(2);
    const refused = new Promise<void>((resolve) => {
      harness.proxy.onReply = (bytes) => {
        if (bytes.includes('-BUSY')) resolve();
        return bytes;
      };
    });
    release();
    await refused;
    await harness.admin.sendCommand(['SCRIPT', 'KILL']);
    await killed;
    expect(await claimed).toMatchObject({ state: 'held' });
  });

  it('is not retried immediately after its link dropped, so that other candidates get their turn', async () => {
    const harness = await open();
    await (await harness.holder())[Symbol.asyncDispose]();
    const lease = await connectedCandidate(harness);
    const reconnected = new Promise<void>((resolve) => lease.onConnected(resolve));
    const stopped = harness.proxy.stopAt('CLIENT\r\n$4\r\nLIST');
    const claimed = lease.acquire(TTL_MS).catch(() => undefined);
    await stopped;
    harness.proxy.cut();
    expect(await claimed).toBeUndefined();
    await reconnected;
    await expireLease(harness);
    expect(await lease.acquire(TTL_MS)).toMatchObject({ state: 'taken' });
    expect(await harness.admin.exists(LEASE_KEY)).toBe(0);
  });

  it('records what the old holder published between its two scripts', async () => {
    const harness = await open();
    const old = await harness.holder();
    const batchStopped = harness.proxy.stopAt('MULTI');
    const sent = harness.publish(old.publisher, 3);
    const releaseBatch = await batchStopped;
    await expireLease(harness);
    const lease = await connectedCandidate(harness);
    const claimStopped = harness.proxy.stopAt(CLIENT_ID);
    const claimed = lease.acquire(TTL_MS);
    const releaseClaim = await claimStopped;
    harness.proxy.dropsReplies = true;
    releaseBatch();
    await until(() => harness.received.length === 3);
    harness.proxy.dropsReplies = false;
    releaseClaim();
    expect(await claimed).toMatchObject({ state: 'held' });
    await sent;
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect(harness.countOf('published')).toBe(3);
  });
});

describe('a resume', () => {
  it('disconnects no writer if another candidate took the lease in the meantime', async () => {
    const harness = await open();
    const old = await harness.holder();
    const lost = new Promise<void>((resolve) => old.lease.on('lost', () => resolve()));
    harness.proxy.refuses = true;
    harness.proxy.cut();
    await untilDetached(old.lease);
    await expireLease(harness);
    await harness.holder({ url: harness.redis.url });
    const ids = await writerIds(harness);
    harness.proxy.refuses = false;
    await lost;
    expect(ids).toHaveLength(1);
    expect(await writerIds(harness)).toEqual(ids);
  });

  it('is rejected if a later resume of the same holder overlapped it', async () => {
    const harness = await open();
    const { lease, publisher } = await harness.holder();
    await harness.publish(publisher, 1);
    const { client, commands } = await scripts(harness);
    const token = lease.token ?? 0;
    const place = { epoch: Number(await harness.admin.hGet(HEAD_KEY, 'epoch')), published: 1 };
    const nothing = async () => {};
    const later = () => commands.resume(client, 1, token, place, nothing);
    const earlier = commands.resume(client, 1, token, place, async () => {
      expect(await later()).toMatchObject({ state: 'activated' });
    });
    await expect(earlier).rejects.toThrow('BUSY');
  });
});

describe('a release', () => {
  it('lost with its link is repeated by the resume', async () => {
    const harness = await open();
    const { lease } = await harness.holder();
    const stopped = harness.proxy.stopAt(LEASE_KEY);
    const released = lease.release();
    await stopped;
    harness.proxy.cut();
    expect(await released).toBe(false);
    const next = new RedisLease({
      channel: STATE,
      url: harness.redis.url,
      ttlMs: TTL_MS,
      retryMs: 20,
      logger: silentLogger,
    });
    closing.push(() => next.close());
    const gained = new Promise<void>((resolve) => next.on('gained', () => resolve()));
    await next.start();
    await gained;
  });

  it('clears the writer name, so that no later claim disconnects the former holder', async () => {
    const harness = await open();
    await (await harness.holder())[Symbol.asyncDispose]();
    const lease = await connectedCandidate(harness);
    const claimed = await lease.acquire(TTL_MS);
    expect(await writerIds(harness)).toHaveLength(1);
    if (claimed.state === 'held') await lease.release(claimed.token);
    expect(await writerIds(harness)).toEqual([]);
  });
});

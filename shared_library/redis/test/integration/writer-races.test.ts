// Claims, resumes and releases that interleave with other changes between two protocol steps.

import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { RedisConnection, RedisLease, RedisPublisher } from '../../index.ts';
import {
  expireLease,
  NO_VIOLATIONS,
  plainClient,
  STATE,
  useWriterHarness,
  type WriterHarness,
} from './exclusive-writer.fixture.ts';

const HEAD = 'tickbus:{STATE}:head';
const WRITER_NAME = 'tickbus:0:STATE';
/** Requests of the protocol on the wire. */
const CLIENT_ID = 'CLIENT\r\n$2\r\nID';
const OTHER_BRANCH = `${'0'.repeat(40)}:${'0'.repeat(40)}`;
const TTL_MS = 60_000;

const { closing, connectedCandidate, open, scripts, sharedConnection } = useWriterHarness();

async function writerIds({ admin }: WriterHarness): Promise<string[]> {
  const list = String(await admin.sendCommand(['CLIENT', 'LIST']));
  const lines = list.split('\n').filter((line) => line.includes(` name=${WRITER_NAME} `));
  return lines.map((line) => line.split(' ')[0] ?? '');
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
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
    // The holder may disconnect the late candidate before its reply arrives.
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
    const endless = plainClient(harness.redis.url);
    closing.push(() => endless.destroy());
    await endless.connect();
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
    expect(await harness.admin.exists('tickbus:{STATE}:lease')).toBe(0);
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
    await until(() => old.lease.writer?.room === 0);
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
    const place = { epoch: Number(await harness.admin.hGet(HEAD, 'epoch')), published: 1 };
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
    const stopped = harness.proxy.stopAt('tickbus:{STATE}:lease');
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

it('a candidate without CLIENT KILL may follow a holder that died with the last server process', async () => {
  const harness = await open();
  await harness.holder();
  await expireLease(harness);
  await harness.admin.hSet(HEAD, { lease_branch: OTHER_BRANCH, ttl: 20 });
  const everythingElse = ['reset', 'on', '>pw', '~*', '&*', '+@all', '-client|kill'];
  await harness.admin.sendCommand(['ACL', 'SETUSER', 'narrow', ...everythingElse]);
  const connection = new RedisConnection({
    url: harness.redis.url.replace('//', '//narrow:pw@'),
    logger: silentLogger,
  });
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
    // The server comes back without its latest memory, before the holder received its last reply.
    await harness.admin.hSet(HEAD, { branch: OTHER_BRANCH, seq: 1, b1: '' });
    await expireLease(harness);
    await harness.holder({ url: harness.redis.url });
    harness.proxy.dropsReplies = false;
    harness.proxy.cut();
    await sent;
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect(harness.countOf('TICKBUS_OUTCOME_UNKNOWN')).toBe(2);
  });
});

/** As over replication, or after a server was demoted and promoted again: no CLIENT KILL reaches the connection. */
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
    const epoch = Number(await harness.admin.hGet(HEAD, 'epoch'));
    await harness.admin.hSet(HEAD, 'epoch', '17');
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
    await harness.admin.hSet(HEAD, 'branch', OTHER_BRANCH);
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
    expect(await harness.admin.exists(HEAD)).toBe(0);
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

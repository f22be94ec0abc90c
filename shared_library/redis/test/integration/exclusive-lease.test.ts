// The connection of an exclusive lease: what becomes of its batches when it ends for good, and of its rights when they change.

import { EventRecorder, errorOf, silentLogger as logger } from '@tickbus/test-kit';
import { acquireAndRelease, leasedPublisher } from '@tickbus/test-kit/leases';
import { afterEach, describe, expect, it } from 'vitest';
import { RedisConnection } from '../../index.ts';
import { STATE, WriterWorld } from './exclusive-writer.fixture.ts';

const LEASE = 'tickbus:{STATE}:lease';
const HEAD = 'tickbus:{STATE}:head';
const TTL_MS = 60_000;
const REFUSAL = /The user may not use CLIENT LIST and CLIENT KILL/;
const BATCH = [
  { key: 'x', json: '{"message_type":"note","data":{"key":"x","n":1},"timestamp":1,"sender":"t"}' },
];

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(): Promise<WriterWorld> {
  const world = await WriterWorld.open();
  closing.push(() => world[Symbol.asyncDispose]());
  await acquireAndRelease(STATE, world.redis.url);
  return world;
}

/** The operations of a lease over a connection of its own. */
async function operationsAt(url: string, options: { reconnect?: boolean } = {}) {
  const connection = new RedisConnection({ url, logger, ...options });
  closing.push(() => connection.close());
  const operations = connection.publishing.lease(STATE);
  await operations.connect();
  return operations;
}

/** Somebody else took the lease and released it. */
async function deposeHolder({ admin }: WriterWorld): Promise<void> {
  await admin.multi().del(LEASE).hSet(HEAD, 'until', '0').exec();
}

describe('a batch that is under way when its lease is lost', () => {
  it.each(['is closed', 'fails for good'])('is unknown at once when the link %s', async (end) => {
    const world = await open();
    const operations = await operationsAt(world.proxy.url, { reconnect: end === 'is closed' });
    const attempt = await operations.acquire(TTL_MS);
    if (attempt.state !== 'held' || attempt.writer === undefined) throw new Error('There is no writer.');
    const { token, writer } = attempt;
    // From here on the server has the script of the renewal, which then is one request.
    await operations.renew(token, TTL_MS);
    await deposeHolder(world);
    let published: Promise<unknown> | undefined;
    // Behind the renewal, and before its reply.
    world.proxy.onRequest = (bytes) => {
      if (published !== undefined || !bytes.includes('EVALSHA')) return;
      world.proxy.holdsRequests = true;
      published = errorOf(writer.publish(BATCH));
    };
    expect(await operations.renew(token, TTL_MS)).toBe(false);
    world.proxy.refuses = true;
    if (end === 'is closed') await operations.close();
    else world.proxy.cut();
    expect(await published).toMatchObject({ code: 'TICKBUS_OUTCOME_UNKNOWN' });
  });
});

describe('rights that change', () => {
  async function userOf({ redis, admin }: WriterWorld): Promise<string> {
    await admin.sendCommand(['ACL', 'SETUSER', 'w', 'on', '>pw', '~*', '&*', '+@all']);
    return redis.url.replace('//', '//w:pw@');
  }
  const deny = ({ admin }: WriterWorld) =>
    admin.sendCommand(['ACL', 'SETUSER', 'w', '-client|list', '-client|kill']);

  it('are known on the connection on which a lost lease is noticed', async () => {
    const world = await open();
    const operations = await operationsAt(await userOf(world));
    const { state } = await operations.acquire(TTL_MS);
    expect(state).toBe('held');
    await deposeHolder(world);
    await deny(world);
    const connections = new EventRecorder<string>();
    operations.onConnected(() => connections.add('connected'));
    await world.admin.sendCommand(['CLIENT', 'KILL', 'USER', 'w']);
    await connections.first(() => true);
    expect(await operations.acquire(TTL_MS)).toMatchObject({
      state: 'held',
      reason: expect.stringMatching(REFUSAL),
    });
  });

  it('are known after the claim that they refuse, though the connection stays', async () => {
    const world = await open();
    const holder = await leasedPublisher(STATE, world.redis.url);
    closing.push(() => holder[Symbol.asyncDispose]());
    const operations = await operationsAt(await userOf(world));
    expect(await operations.acquire(20)).toMatchObject({ state: 'taken' });
    await deny(world);
    await holder.lease.release();
    expect(await errorOf(operations.acquire(20))).toMatchObject({ code: 'TICKBUS_DENIED' });
    let attempt = await operations.acquire(20);
    for (; attempt.state !== 'held'; attempt = await operations.acquire(20)) await world.admin.ping();
    expect(attempt).toMatchObject({ reason: expect.stringMatching(REFUSAL) });
    expect(attempt).not.toHaveProperty('writer');
  });

  it('leave a deposed holder a connection that the next holder does not take for a writer', async () => {
    const world = await open();
    const operations = await operationsAt(world.redis.url);
    const attempt = await operations.acquire(TTL_MS);
    await deposeHolder(world);
    const token = attempt.state === 'held' ? attempt.token : 0;
    expect(await operations.renew(token, TTL_MS)).toBe(false);
    // Answered on the same connection, behind what the renewal began.
    await operations.release(token);
    const list = String(await world.admin.sendCommand(['CLIENT', 'LIST']));
    expect(list).not.toContain('name=tickbus:0:STATE ');
    expect(list).toContain(':lease ');
  });
});

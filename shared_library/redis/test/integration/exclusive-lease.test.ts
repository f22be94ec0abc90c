// Connection of an exclusive lease: outcome of batches in flight when the lease is lost, and changes of permissions.

import { EventRecorder, errorOf, silentLogger as logger } from '@tickbus/test-kit';
import { acquireAndRelease, leasedPublisher } from '@tickbus/test-kit/leases';
import { describe, expect, it } from 'vitest';
import { RedisConnection } from '../../index.ts';
import { HEAD_KEY, LEASE_KEY, STATE, WriterHarness } from './exclusive-writer.fixture.ts';
import { changeUser, clientList, closeAfterEach, createUser } from './integration.fixture.ts';

const TTL_MS = 60_000;
const DENIED_TAKEOVER = /The user may not use CLIENT LIST and CLIENT KILL/;
const BATCH = [
  { key: 'x', json: '{"message_type":"note","data":{"key":"x","n":1},"timestamp":1,"sender":"t"}' },
];

const closing = closeAfterEach();

async function open(): Promise<WriterHarness> {
  const harness = await WriterHarness.open();
  closing.push(() => harness[Symbol.asyncDispose]());
  await acquireAndRelease(STATE, harness.redis.url);
  return harness;
}

/** Lease operations on a separate connection. */
async function operationsAt(url: string, options: { reconnect?: boolean } = {}) {
  const connection = new RedisConnection({ url, logger, ...options });
  closing.push(() => connection.close());
  const operations = connection.publishing.lease(STATE);
  await operations.connect();
  return operations;
}

/** Ends the lease on the server as if another holder had taken and released it. */
async function deposeHolder({ admin }: WriterHarness): Promise<void> {
  await admin.multi().del(LEASE_KEY).hSet(HEAD_KEY, 'until', '0').exec();
}

describe('a batch in flight when its lease is lost', () => {
  it.each(['is closed', 'fails for good'])(
    'rejects with TICKBUS_OUTCOME_UNKNOWN immediately when the link %s',
    async (end) => {
      const harness = await open();
      const operations = await operationsAt(harness.proxy.url, { reconnect: end === 'is closed' });
      const attempt = await operations.acquire(TTL_MS);
      if (attempt.state !== 'held' || attempt.writer === undefined)
        throw new Error('The holder has no writer.');
      const { token, writer } = attempt;
      // After this call the server has the renewal script cached, so the next renewal is one request.
      await operations.renew(token, TTL_MS);
      await deposeHolder(harness);
      let published: Promise<unknown> | undefined;
      // The batch is sent after the renewal and before its reply.
      harness.proxy.onRequest = (bytes) => {
        if (published !== undefined || !bytes.includes('EVALSHA')) return;
        harness.proxy.holdsRequests = true;
        published = errorOf(writer.publish(BATCH));
      };
      expect(await operations.renew(token, TTL_MS)).toBe(false);
      harness.proxy.refuses = true;
      if (end === 'is closed') await operations.close();
      else harness.proxy.cut();
      expect(await published).toMatchObject({ code: 'TICKBUS_OUTCOME_UNKNOWN' });
    },
  );
});

describe('a change of permissions', () => {
  const urlOfWriter = ({ redis }: WriterHarness) => createUser(redis, 'writer', '~*', '&*', '+@all');
  const denyTakeover = ({ redis }: WriterHarness) =>
    changeUser(redis, 'writer', '-client|list', '-client|kill');

  it('is noticed on the connection that detects the lost lease', async () => {
    const harness = await open();
    const operations = await operationsAt(await urlOfWriter(harness));
    const { state } = await operations.acquire(TTL_MS);
    expect(state).toBe('held');
    await deposeHolder(harness);
    await denyTakeover(harness);
    const connections = new EventRecorder<string>();
    operations.onConnected(() => connections.add('connected'));
    await harness.admin.sendCommand(['CLIENT', 'KILL', 'USER', 'writer']);
    await connections.first(() => true);
    expect(await operations.acquire(TTL_MS)).toMatchObject({
      state: 'held',
      reason: expect.stringMatching(DENIED_TAKEOVER),
    });
  });

  it('is noticed by the denied claim, although the connection stays open', async () => {
    const harness = await open();
    const holder = await leasedPublisher(STATE, harness.redis.url);
    closing.push(() => holder[Symbol.asyncDispose]());
    const operations = await operationsAt(await urlOfWriter(harness));
    expect(await operations.acquire(20)).toMatchObject({ state: 'taken' });
    await denyTakeover(harness);
    await holder.lease.release();
    expect(await errorOf(operations.acquire(20))).toMatchObject({ code: 'TICKBUS_DENIED' });
    let attempt = await operations.acquire(20);
    for (; attempt.state !== 'held'; attempt = await operations.acquire(20)) await harness.admin.ping();
    expect(attempt).toMatchObject({ reason: expect.stringMatching(DENIED_TAKEOVER) });
    expect(attempt).not.toHaveProperty('writer');
  });

  it('does not matter to a deposed holder: the next holder does not take its connection for a writer', async () => {
    const harness = await open();
    const operations = await operationsAt(harness.redis.url);
    const attempt = await operations.acquire(TTL_MS);
    await deposeHolder(harness);
    const token = attempt.state === 'held' ? attempt.token : 0;
    expect(await operations.renew(token, TTL_MS)).toBe(false);
    // The reply arrives on the same connection, so the rename that the renewal started is complete.
    await operations.release(token);
    const list = (await clientList(harness.redis)).join('\n');
    expect(list).not.toContain('name=tickbus:0:STATE ');
    expect(list).toContain(':lease ');
  });
});

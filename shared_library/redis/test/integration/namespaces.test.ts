// Three desks on one server, two in namespaces and one in none: nothing crosses.

import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { EventRecorder, silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisAdmin } from '../../admin.ts';
import { nameIn } from '../../channel/namespace.ts';
import { RedisConnection } from '../../connection.ts';
import { CHANNELS } from '../../constants.ts';
import { StaleDataError } from '../../freshness/stale-data-error.ts';
import { RedisSubscriber } from '../../subscriber.ts';
import { MemoryConnection, MemoryServer } from '../../testing.ts';
import type { Connection } from '../../transport/port.ts';
import { channelKeys } from '../../transport/redis/keys.ts';
import { closeAfterEach, connectPlainClient } from './integration.fixture.ts';
import { ALL, NamespaceDesk } from './namespace-desk.fixture.ts';

const { PRICE_DATA } = CHANNELS;
const NAMESPACES = ['paper', 'live', undefined] as const;

let redis: LocalRedis;
const closing = closeAfterEach();
beforeAll(async () => {
  redis = await startLocalRedis();
});
afterAll(() => redis.kill());

type Open = (namespace: string | undefined) => Connection;

const inRedis: Open = (namespace) => new RedisConnection({ url: redis.url, namespace, logger });

function openMemory(): Open {
  const server = new MemoryServer();
  return (namespace) => new MemoryConnection({ server, ...(namespace && { namespace }) });
}

async function startDesks(
  open: Open,
): Promise<readonly [paper: NamespaceDesk, live: NamespaceDesk, without: NamespaceDesk]> {
  const desks = NAMESPACES.map((namespace) => new NamespaceDesk(open(namespace)));
  closing.push(() => Promise.all(desks.map((desk) => desk.close())));
  await Promise.all(desks.map((desk) => desk.start()));
  return desks as unknown as [NamespaceDesk, NamespaceDesk, NamespaceDesk];
}

describe.each([
  ['redis', () => inRedis],
  ['memory', openMemory],
])('desks on one server: %s', (_, openServer) => {
  it('hear only their own messages, hold their own leases and keep their own values', async () => {
    const desks = await startDesks(openServer());
    // What had crossed in the first round would arrive before the second.
    for (const round of [1, 2]) {
      await Promise.all(desks.map((desk) => desk.publishAll(round)));
      await Promise.all(desks.map(({ seen }) => seen.reaches(round * ALL.length)));
    }
    for (const { sender, senders, seen, lease, job } of desks) {
      expect([...senders]).toEqual([sender]);
      for (const { name } of ALL)
        expect(seen.items.filter(({ channel }) => channel === name)).toHaveLength(2);
      expect([lease.holds, job.holds]).toEqual([true, true]);
    }
    for (const desk of desks) expect(new Set(await desk.snapshot())).toEqual(new Set([desk.sender]));
    for (const { subscriber } of desks)
      for (const channel of ALL)
        expect(subscriber.status(channel)).toMatchObject({ forged: 0, invalid: 0, received: 2 });
  });

  it('have their own demand and verdicts', async () => {
    const [paper, live, without] = await startDesks(openServer());
    for (const [desk, key] of [
      [paper, 'P'],
      [live, 'L'],
      [without, 'W'],
    ] as const)
      desk.subscriber.subscribe(PRICE_DATA, () => {}, { keys: ['A', key], maxAgeMs: 60_000 });
    const wanted = async (desk: NamespaceDesk) =>
      [...(await desk.publisher.wanted(PRICE_DATA)).keys()].sort();
    await expect.poll(() => wanted(paper)).toEqual(['A', 'P']);
    await expect.poll(() => wanted(live)).toEqual(['A', 'L']);
    await expect.poll(() => wanted(without)).toEqual(['A', 'W']);

    for (const desk of [paper, live, without]) await desk.publishPrice(7);
    await live.publishFeed('live');
    await expect.poll(() => live.subscriber.latest(PRICE_DATA, 'A').verdict).toBe('fresh');
    expect(live.subscriber.requireFresh(PRICE_DATA, 'A', { maxAgeMs: 60_000 }).data.price).toBe(7);
    for (const { subscriber } of [paper, without])
      expect(() => subscriber.requireFresh(PRICE_DATA, 'A', { maxAgeMs: 60_000 })).toThrow(StaleDataError);
    // The holder of one desk goes; the others keep their leases.
    await live.lease.release();
    expect([paper.lease.holds, live.lease.holds, without.lease.holds]).toEqual([true, false, true]);
    await paper.publishPrice(8);
    await expect(live.publishPrice(8)).rejects.toMatchObject({ code: 'TICKBUS_FENCED' });
  });
});

describe('on Redis', () => {
  it('every key and channel has the namespace, in the hash tag too; without one all is named as before', async () => {
    const admin = await connectPlainClient(redis.url, closing);
    const names = async (namespace: string | undefined) => {
      await admin.flushAll();
      const desk = new NamespaceDesk(inRedis(namespace));
      closing.push(() => desk.close());
      await desk.start();
      await desk.publishAll(1);
      const [keys, channels] = [await admin.keys('*'), await admin.pubSubChannels()];
      await desk.close();
      return { keys: keys.sort(), channels: channels.sort() };
    };
    const before = await names(undefined);
    expect(before.keys).toContain('tickbus:{PRICE_DATA}:head');
    expect(before.channels).toEqual(expect.arrayContaining(['PRICE_DATA', 'tickbus:{PRICE_DATA}:frames']));
    const inPaper = (name: string) =>
      name.startsWith('tickbus:{') ? name.replace('{', '{paper:') : `paper:${name}`;
    const after = await names('paper');
    // The number in the name of a fence is an epoch.
    const plain = (list: readonly string[]) => list.map((name) => name.replace(/fence:\d+$/, 'fence')).sort();
    expect(plain(after.keys)).toEqual(plain(before.keys.map(inPaper)));
    expect(plain(after.channels)).toEqual(plain(before.channels.map(inPaper)));
    for (const key of [...after.keys, ...before.keys]) expect(key).toMatch(/^tickbus:\{[^{}]+\}:[^{}]+$/);
  });

  it('in a cluster, the keys of a channel are in the slot of the channel', async () => {
    // By default the port of the cluster bus follows from the port of the server, and can be in use.
    const args = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())];
    await using node = await startLocalRedis({ keepsData: true, args });
    const name = nameIn('paper', 'PRICE_DATA');
    const { fence, id, historyOf, ...keys } = channelKeys({ name });
    const slotOf = (key: string) => node.answers(`CLUSTER KEYSLOT ${key}`);
    const slot = await slotOf(name);
    expect(slot).toMatch(/^:\d+\r\n$/);
    for (const key of [...Object.values(keys), fence(1), id('x'), historyOf('x')])
      expect(await slotOf(key)).toBe(slot);
    expect(await slotOf('PRICE_DATA')).not.toBe(slot);
  });

  it('a plain client without a namespace hears the desk without one, on the same names as ever', async () => {
    const client = await connectPlainClient(redis.url, closing);
    const heard = new EventRecorder<string>();
    for (const name of ['PRICE_DATA', 'paper:PRICE_DATA'])
      await client.subscribe(name, (message) => heard.add(`${name} ${JSON.parse(message).sender}`));
    const [paper, , without] = await startDesks(inRedis);
    await paper.publishPrice(1);
    await without.publishPrice(1);
    expect(await heard.reaches(2)).toEqual(['paper:PRICE_DATA desk-paper', 'PRICE_DATA desk-without']);
  });

  it('admin reports the channels of its namespace, by their names without it', async () => {
    const [paper] = await startDesks(inRedis);
    await paper.publishAll(1);
    const extra = new RedisSubscriber({ url: redis.url, namespace: 'live', logger });
    closing.push(() => extra.close());
    extra.subscribe(PRICE_DATA, () => {});
    await extra.startListening();
    for (const [namespace, subscribers, prices] of [
      ['paper', 1, 1],
      ['live', 2, 1],
      ['neither', 0, 0],
    ] as const) {
      await using admin = new RedisAdmin({ url: redis.url, namespace, logger });
      await admin.connect();
      const [stats] = await admin.channels([PRICE_DATA.name]);
      expect(stats).toMatchObject({ channel: 'PRICE_DATA', subscribers });
      if (namespace !== 'live') expect(stats?.keys).toBe(prices);
      const active = (await admin.activeChannels()).sort();
      expect(active).toEqual(namespace === 'neither' ? [] : ALL.map(({ name }) => name).sort());
      const permissions = await admin.permissions([PRICE_DATA]);
      expect(new Set(permissions.map(({ channel }) => channel))).toEqual(new Set(['PRICE_DATA']));
      const [, read] = permissions;
      expect(permissions[0]?.command).toEqual(['SUBSCRIBE', `${namespace}:PRICE_DATA`]);
      expect(read?.command[1]).toBe(`tickbus:{${namespace}:PRICE_DATA}:head`);
      expect(await admin.otherDatabases([PRICE_DATA.name])).toEqual(new Map());
    }
  });

  it('an error of the server names the channel with its namespace', async () => {
    const [paper] = await startDesks(inRedis);
    const client = await connectPlainClient(redis.url, closing);
    await client.set('tickbus:{paper:BOT_STATUS}:last', 'text');
    await expect(
      paper.publisher.publish(CHANNELS.BOT_STATUS, { bot: 'b', state: 'running' }),
    ).rejects.toMatchObject({
      code: 'TICKBUS_SERVER_ERROR',
      field: 'tickbus:{paper:BOT_STATUS}:last',
    });
    await client.del('tickbus:{paper:BOT_STATUS}:last');
  });
});

// Exclusive writer on failing links: every outcome is known, in order, and nothing is published twice.

import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@tickbus/test-kit';
import { afterEach, describe, expect, it } from 'vitest';
import { RedisSubscriber } from '../../index.ts';
import { EVENT, type Notes, SOUND, STATE, WriterWorld } from './exclusive-writer.fixture.ts';

const worlds: WriterWorld[] = [];
async function open(channel?: Notes, args?: readonly string[]): Promise<WriterWorld> {
  const world = await WriterWorld.open(channel, args);
  worlds.push(world);
  return world;
}
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world[Symbol.asyncDispose]()));
});

type Holder = Awaited<ReturnType<WriterWorld['holder']>>;

/** Resolves when the writer has lost its link. */
async function detached({ lease }: Holder): Promise<void> {
  while ((lease.writer?.room ?? 0) > 0) await sleep(2);
}

/** Resolves when the writer has a link again. */
async function attached({ lease }: Holder): Promise<void> {
  while ((lease.writer?.room ?? 0) === 0) await sleep(2);
}

describe.each([STATE, EVENT])('on $name', (channel) => {
  it('publish resolves for executed batches whose replies were lost, without publishing twice', async () => {
    const world = await open(channel);
    const { publisher } = await world.holder();
    world.proxy.dropsReplies = true;
    const sent = [world.publish(publisher, 3)];
    for (const size of [1, 20, 4]) {
      await sleep(5);
      sent.push(world.publish(publisher, size));
    }
    await sleep(30);
    world.proxy.dropsReplies = false;
    world.proxy.cut();
    await Promise.all(sent);
    await world.quiet();
    expect(world.broken).toEqual(SOUND);
    expect([world.count('published'), world.heard.length]).toEqual([28, 28]);
  });

  it('publish resends batches lost on the way, in order, before later batches', async () => {
    const world = await open(channel);
    const { publisher } = await world.holder();
    world.proxy.holdsRequests = true;
    const sent: Promise<void>[] = [];
    for (const size of [3, 1, 20, 4, 9, 2]) {
      sent.push(world.publish(publisher, size));
      await sleep(5);
    }
    world.proxy.holdsRequests = false;
    world.proxy.cut();
    sent.push(world.publish(publisher, 5));
    await Promise.all(sent);
    await world.quiet();
    expect(world.broken).toEqual(SOUND);
    expect([world.count('published'), world.heard.length]).toEqual([44, 44]);
  });

  it('publish knows every outcome if the server reads bytes of a link that the client has abandoned', async () => {
    const world = await open(channel);
    const holder = await world.holder();
    for (let round = 0; round < 25; round++) {
      world.proxy.holdsRequests = true;
      const sent = [world.publish(holder.publisher, 3)];
      await sleep(2);
      sent.push(world.publish(holder.publisher, 12));
      await sleep(2);
      world.proxy.holdsRequests = false;
      world.proxy.abandonLeases();
      await sleep(Math.random() * 8);
      world.proxy.release();
      await Promise.all(sent);
      await attached(holder);
    }
    await world.quiet();
    expect(world.broken).toEqual(SOUND);
    expect(world.count('published')).toBe(25 * 15);
  });

  it('publish counts bytes that arrive between the two scripts of a resume', async () => {
    const world = await open(channel);
    const holder = await world.holder();
    world.proxy.holdsRequests = true;
    const sent = world.publish(holder.publisher, 3);
    await sleep(10);
    world.proxy.holdsRequests = false;
    let isReleased = false;
    // CLIENT ID follows the first script; the rest of the resume follows its reply.
    world.proxy.onRequest = (bytes) => {
      if (isReleased || !bytes.includes('CLIENT\r\n$2\r\nID')) return;
      isReleased = true;
      world.proxy.release();
    };
    world.proxy.abandonLeases();
    await sent;
    await world.quiet();
    expect(isReleased).toBe(true);
    expect(world.broken).toEqual(SOUND);
    expect(world.heard.length).toBe(3);
  });

  it('publish knows every outcome if the link drops repeatedly during a burst', async () => {
    const world = await open(channel);
    const { publisher } = await world.holder();
    const sent: Promise<void>[] = [];
    let isDone = false;
    const cutting = (async () => {
      while (!isDone) {
        await sleep(50);
        world.proxy.cut();
      }
    })();
    for (let turn = 0; turn < 400; turn++) {
      sent.push(world.publish(publisher, 20));
      await sleep(2);
    }
    isDone = true;
    await cutting;
    await Promise.all(sent);
    await world.quiet();
    expect(world.broken).toEqual(SOUND);
    expect(world.count('TICKBUS_OUTCOME_UNKNOWN')).toBe(0);
    expect(world.count('published')).toBe(world.heard.length);
    expect(world.count('published')).toBeGreaterThan(7_000);
  });
});

it('publish rejects with TICKBUS_SERVER_ERROR for a rejected batch before an accepted one, and subscribers report the gap', async () => {
  const world = await open();
  const { publisher } = await world.holder();
  const subscriber = new RedisSubscriber({ url: world.redis.url, logger: silentLogger });
  const gaps: unknown[] = [];
  subscriber.on('gap', ({ cause, from, to, repaired }) => gaps.push({ cause, from, to, repaired }));
  subscriber.subscribe(STATE, () => {});
  await subscriber.startListening();
  const sent = [world.publish(publisher, 2)];
  await Promise.all(sent);
  world.proxy.dropsReplies = true;
  await world.admin.configSet('maxmemory', '1');
  sent.push(world.publish(publisher, 2));
  await sleep(20);
  await world.admin.configSet('maxmemory', '0');
  sent.push(world.publish(publisher, 2));
  await sleep(20);
  world.proxy.dropsReplies = false;
  world.proxy.cut();
  await Promise.all(sent);
  await world.quiet();
  expect(world.broken).toEqual(SOUND);
  expect([...world.outcomes.values()]).toEqual([
    'published',
    'published',
    'TICKBUS_SERVER_ERROR',
    'TICKBUS_SERVER_ERROR',
    'published',
    'published',
  ]);
  while (gaps.length === 0) await sleep(5);
  expect(gaps).toEqual([{ cause: 'loss', from: 3, to: 4, repaired: false }]);
  await subscriber.close();
});

it('publish reuses the numbers of a rejected batch if no later batch passed it', async () => {
  const world = await open();
  const { publisher } = await world.holder();
  await world.publish(publisher, 2);
  await world.admin.configSet('maxmemory', '1');
  await Promise.all([world.publish(publisher, 2), world.publish(publisher, 20)]);
  await world.admin.configSet('maxmemory', '0');
  await world.publish(publisher, 2);
  await world.quiet();
  expect(world.count('TICKBUS_SERVER_ERROR')).toBe(22);
  expect(world.heard.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

it('publish on a deposed holder settles with the outcome of every batch in flight, a rejected one included', async () => {
  const world = await open();
  const { publisher, lease } = await world.holder();
  world.proxy.dropsReplies = true;
  const sent = [world.publish(publisher, 2)];
  await sleep(20);
  await world.admin.configSet('maxmemory', '1');
  sent.push(world.publish(publisher, 2));
  await sleep(20);
  await world.admin.configSet('maxmemory', '0');
  sent.push(world.publish(publisher, 20));
  await sleep(20);
  world.proxy.holdsRequests = true;
  sent.push(world.publish(publisher, 3));
  await sleep(20);
  // Another holder takes over twice: the head records more than the last epoch.
  await world.admin.del('tickbus:{STATE}:lease');
  for (let time = 0; time < 2; time++) {
    await world.admin.hSet('tickbus:{STATE}:head', 'until', '0');
    await using other = await world.holder({ url: world.redis.url });
    await other.publisher.publish(STATE, { key: 'x', n: 1_000 + time });
  }
  world.proxy.dropsReplies = world.proxy.holdsRequests = false;
  world.proxy.cut();
  await Promise.all(sent);
  await world.quiet();
  expect([...world.outcomes.values()]).toEqual([
    ...Array(2).fill('published'),
    ...Array(2).fill('TICKBUS_SERVER_ERROR'),
    ...Array(20).fill('published'),
    ...Array(3).fill('TICKBUS_FENCED'),
  ]);
  expect(world.broken.outcomes).toEqual([]);
  while (lease.holds) await sleep(5);
});

it('publish rejects with TICKBUS_NOT_SENT for a batch that drops every link, and sends the next batches', async () => {
  const world = await open();
  const holder = await world.holder();
  await world.publish(holder.publisher, 1);
  // The server disconnects a client whose queued commands exceed this.
  await world.admin.configSet('maxmemory-clients', '450kb');
  const sent = [world.publish(holder.publisher, 1, 'x'.repeat(240_000))];
  for (const size of [1, 9, 2]) {
    await sleep(1);
    sent.push(world.publish(holder.publisher, size));
  }
  await Promise.all(sent);
  await world.publish(holder.publisher, 1);
  await world.quiet();
  expect(world.broken).toEqual(SOUND);
  expect(world.count('TICKBUS_NOT_SENT')).toBe(1);
  expect(world.outcomes.get(2)).toBe('TICKBUS_NOT_SENT');
  expect(world.heard.map(({ seq }) => seq)).toEqual(Array.from({ length: 14 }, (_, index) => index + 1));
});

it('publish rejects with TICKBUS_NOT_SENT if the link is down until the deadline', async () => {
  const world = await open();
  const holder = await world.holder({ deadlineMs: 300 });
  await world.publish(holder.publisher, 1);
  world.proxy.refuses = true;
  world.proxy.cut();
  await detached(holder);
  await world.publish(holder.publisher, 5);
  expect(world.count('TICKBUS_NOT_SENT')).toBe(5);
  world.proxy.refuses = false;
  await attached(holder);
  await world.publish(holder.publisher, 1);
  await world.quiet();
  expect(world.heard.map(({ n, seq }) => [n, seq])).toEqual([
    [1, 1],
    [7, 2],
  ]);
});

it('publish rejects with TICKBUS_OUTCOME_UNKNOWN past the deadline, and never resends', async () => {
  const world = await open();
  const holder = await world.holder({ deadlineMs: 200 });
  world.proxy.holdsRequests = true;
  await world.publish(holder.publisher, 5);
  expect(world.count('TICKBUS_OUTCOME_UNKNOWN')).toBe(5);
  world.proxy.holdsRequests = false;
  world.proxy.cut();
  await detached(holder);
  await attached(holder);
  await world.publish(holder.publisher, 1);
  await world.quiet();
  expect(world.heard.map(({ n, seq }) => [n, seq])).toEqual([[6, 1]]);
});

it('publish rejects with TICKBUS_OUTCOME_UNKNOWN for a partly rejected batch, and numbering continues', async () => {
  const world = await open();
  const { publisher } = await world.holder();
  await world.publish(publisher, 1);
  await world.admin.set('tickbus:{STATE}:last', 'a string');
  await world.publish(publisher, 2);
  await world.admin.del('tickbus:{STATE}:last');
  await world.publish(publisher, 20);
  await world.quiet();
  expect([...world.outcomes.values()].slice(1, 3)).toEqual(Array(2).fill('TICKBUS_OUTCOME_UNKNOWN'));
  expect(world.heard.map(({ seq }) => seq)).toEqual(Array.from({ length: 23 }, (_, index) => index + 1));
});

it('publish rejects while the head has a wrong type, and resumes after it is restored', async () => {
  const world = await open();
  const holder = await world.holder({ deadlineMs: 500 });
  await world.publish(holder.publisher, 1);
  const head = await world.admin.hGetAll('tickbus:{STATE}:head');
  await world.admin.set('tickbus:{STATE}:head', 'a string');
  await world.publish(holder.publisher, 2);
  expect(world.count('TICKBUS_OUTCOME_UNKNOWN')).toBe(2);
  await world.publish(holder.publisher, 1);
  expect(world.outcomes.get(4)).toBe('TICKBUS_NOT_SENT');
  await world.admin.multi().del('tickbus:{STATE}:head').hSet('tickbus:{STATE}:head', head).exec();
  await attached(holder);
  await world.publish(holder.publisher, 1);
  expect(world.outcomes.get(5)).toBe('published');
});

// Exclusive writer on failing links: every outcome is known, in order, and nothing is published twice.

import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@tickbus/test-kit';
import { afterEach, describe, expect, it } from 'vitest';
import { RedisSubscriber } from '../../index.ts';
import { EVENT, NO_VIOLATIONS, type Notes, STATE, WriterHarness } from './exclusive-writer.fixture.ts';

const harnesses: WriterHarness[] = [];
async function open(channel?: Notes, args?: readonly string[]): Promise<WriterHarness> {
  const harness = await WriterHarness.open(channel, args);
  harnesses.push(harness);
  return harness;
}
afterEach(async () => {
  await Promise.all(harnesses.splice(0).map((harness) => harness[Symbol.asyncDispose]()));
});

type Holder = Awaited<ReturnType<WriterHarness['holder']>>;

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
    const harness = await open(channel);
    const { publisher } = await harness.holder();
    harness.proxy.dropsReplies = true;
    const sent = [harness.publish(publisher, 3)];
    for (const size of [1, 20, 4]) {
      await sleep(5);
      sent.push(harness.publish(publisher, size));
    }
    await sleep(30);
    harness.proxy.dropsReplies = false;
    harness.proxy.cut();
    await Promise.all(sent);
    await harness.untilQuiet();
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect([harness.countOf('published'), harness.received.length]).toEqual([28, 28]);
  });

  it('publish resends batches lost on the way, in order, before later batches', async () => {
    const harness = await open(channel);
    const { publisher } = await harness.holder();
    harness.proxy.holdsRequests = true;
    const sent: Promise<void>[] = [];
    for (const size of [3, 1, 20, 4, 9, 2]) {
      sent.push(harness.publish(publisher, size));
      await sleep(5);
    }
    harness.proxy.holdsRequests = false;
    harness.proxy.cut();
    sent.push(harness.publish(publisher, 5));
    await Promise.all(sent);
    await harness.untilQuiet();
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect([harness.countOf('published'), harness.received.length]).toEqual([44, 44]);
  });

  it('publish knows every outcome if the server reads bytes of a link that the client has abandoned', async () => {
    const harness = await open(channel);
    const holder = await harness.holder();
    for (let round = 0; round < 25; round++) {
      harness.proxy.holdsRequests = true;
      const sent = [harness.publish(holder.publisher, 3)];
      await sleep(2);
      sent.push(harness.publish(holder.publisher, 12));
      await sleep(2);
      harness.proxy.holdsRequests = false;
      harness.proxy.abandonLeases();
      await sleep(Math.random() * 8);
      harness.proxy.release();
      await Promise.all(sent);
      await attached(holder);
    }
    await harness.untilQuiet();
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect(harness.countOf('published')).toBe(25 * 15);
  });

  it('publish counts bytes that arrive between the two scripts of a resume', async () => {
    const harness = await open(channel);
    const holder = await harness.holder();
    harness.proxy.holdsRequests = true;
    const sent = harness.publish(holder.publisher, 3);
    await sleep(10);
    harness.proxy.holdsRequests = false;
    let isReleased = false;
    // CLIENT ID follows the first script; the rest of the resume follows its reply.
    harness.proxy.onRequest = (bytes) => {
      if (isReleased || !bytes.includes('CLIENT\r\n$2\r\nID')) return;
      isReleased = true;
      harness.proxy.release();
    };
    harness.proxy.abandonLeases();
    await sent;
    await harness.untilQuiet();
    expect(isReleased).toBe(true);
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect(harness.received.length).toBe(3);
  });

  it('publish knows every outcome if the link drops repeatedly during a burst', async () => {
    const harness = await open(channel);
    const { publisher } = await harness.holder();
    const sent: Promise<void>[] = [];
    let isDone = false;
    const cutting = (async () => {
      while (!isDone) {
        await sleep(50);
        harness.proxy.cut();
      }
    })();
    for (let turn = 0; turn < 400; turn++) {
      sent.push(harness.publish(publisher, 20));
      await sleep(2);
    }
    isDone = true;
    await cutting;
    await Promise.all(sent);
    await harness.untilQuiet();
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect(harness.countOf('TICKBUS_OUTCOME_UNKNOWN')).toBe(0);
    expect(harness.countOf('published')).toBe(harness.received.length);
    expect(harness.countOf('published')).toBeGreaterThan(7_000);
  });
});

it('publish rejects with TICKBUS_SERVER_ERROR for a rejected batch before an accepted one, and subscribers report the gap', async () => {
  const harness = await open();
  const { publisher } = await harness.holder();
  const subscriber = new RedisSubscriber({ url: harness.redis.url, logger: silentLogger });
  const gaps: unknown[] = [];
  subscriber.on('gap', ({ cause, from, to, repaired }) => gaps.push({ cause, from, to, repaired }));
  subscriber.subscribe(STATE, () => {});
  await subscriber.startListening();
  const sent = [harness.publish(publisher, 2)];
  await Promise.all(sent);
  harness.proxy.dropsReplies = true;
  await harness.admin.configSet('maxmemory', '1');
  sent.push(harness.publish(publisher, 2));
  await sleep(20);
  await harness.admin.configSet('maxmemory', '0');
  sent.push(harness.publish(publisher, 2));
  await sleep(20);
  harness.proxy.dropsReplies = false;
  harness.proxy.cut();
  await Promise.all(sent);
  await harness.untilQuiet();
  expect(harness.violations).toEqual(NO_VIOLATIONS);
  expect([...harness.outcomes.values()]).toEqual([
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
  const harness = await open();
  const { publisher } = await harness.holder();
  await harness.publish(publisher, 2);
  await harness.admin.configSet('maxmemory', '1');
  await Promise.all([harness.publish(publisher, 2), harness.publish(publisher, 20)]);
  await harness.admin.configSet('maxmemory', '0');
  await harness.publish(publisher, 2);
  await harness.untilQuiet();
  expect(harness.countOf('TICKBUS_SERVER_ERROR')).toBe(22);
  expect(harness.received.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});

it('publish on a deposed holder settles with the outcome of every batch in flight, a rejected one included', async () => {
  const harness = await open();
  const { publisher, lease } = await harness.holder();
  harness.proxy.dropsReplies = true;
  const sent = [harness.publish(publisher, 2)];
  await sleep(20);
  await harness.admin.configSet('maxmemory', '1');
  sent.push(harness.publish(publisher, 2));
  await sleep(20);
  await harness.admin.configSet('maxmemory', '0');
  sent.push(harness.publish(publisher, 20));
  await sleep(20);
  harness.proxy.holdsRequests = true;
  sent.push(harness.publish(publisher, 3));
  await sleep(20);
  // Another holder takes over twice: the head records more than the last epoch.
  await harness.admin.del('tickbus:{STATE}:lease');
  for (let time = 0; time < 2; time++) {
    await harness.admin.hSet('tickbus:{STATE}:head', 'until', '0');
    await using other = await harness.holder({ url: harness.redis.url });
    await other.publisher.publish(STATE, { key: 'x', n: 1_000 + time });
  }
  harness.proxy.dropsReplies = harness.proxy.holdsRequests = false;
  harness.proxy.cut();
  await Promise.all(sent);
  await harness.untilQuiet();
  expect([...harness.outcomes.values()]).toEqual([
    ...Array(2).fill('published'),
    ...Array(2).fill('TICKBUS_SERVER_ERROR'),
    ...Array(20).fill('published'),
    ...Array(3).fill('TICKBUS_FENCED'),
  ]);
  expect(harness.violations.outcomes).toEqual([]);
  while (lease.holds) await sleep(5);
});

it('publish rejects with TICKBUS_NOT_SENT for a batch that drops every link, and sends the next batches', async () => {
  const harness = await open();
  const holder = await harness.holder();
  await harness.publish(holder.publisher, 1);
  // The server disconnects a client whose queued commands exceed this.
  await harness.admin.configSet('maxmemory-clients', '450kb');
  const sent = [harness.publish(holder.publisher, 1, 'x'.repeat(240_000))];
  for (const size of [1, 9, 2]) {
    await sleep(1);
    sent.push(harness.publish(holder.publisher, size));
  }
  await Promise.all(sent);
  await harness.publish(holder.publisher, 1);
  await harness.untilQuiet();
  expect(harness.violations).toEqual(NO_VIOLATIONS);
  expect(harness.countOf('TICKBUS_NOT_SENT')).toBe(1);
  expect(harness.outcomes.get(2)).toBe('TICKBUS_NOT_SENT');
  expect(harness.received.map(({ seq }) => seq)).toEqual(Array.from({ length: 14 }, (_, index) => index + 1));
});

it('publish rejects with TICKBUS_NOT_SENT if the link is down until the deadline', async () => {
  const harness = await open();
  const holder = await harness.holder({ deadlineMs: 300 });
  await harness.publish(holder.publisher, 1);
  harness.proxy.refuses = true;
  harness.proxy.cut();
  await detached(holder);
  await harness.publish(holder.publisher, 5);
  expect(harness.countOf('TICKBUS_NOT_SENT')).toBe(5);
  harness.proxy.refuses = false;
  await attached(holder);
  await harness.publish(holder.publisher, 1);
  await harness.untilQuiet();
  expect(harness.received.map(({ n, seq }) => [n, seq])).toEqual([
    [1, 1],
    [7, 2],
  ]);
});

it('publish rejects with TICKBUS_OUTCOME_UNKNOWN past the deadline, and never resends', async () => {
  const harness = await open();
  const holder = await harness.holder({ deadlineMs: 200 });
  harness.proxy.holdsRequests = true;
  await harness.publish(holder.publisher, 5);
  expect(harness.countOf('TICKBUS_OUTCOME_UNKNOWN')).toBe(5);
  harness.proxy.holdsRequests = false;
  harness.proxy.cut();
  await detached(holder);
  await attached(holder);
  await harness.publish(holder.publisher, 1);
  await harness.untilQuiet();
  expect(harness.received.map(({ n, seq }) => [n, seq])).toEqual([[6, 1]]);
});

it('publish rejects with TICKBUS_OUTCOME_UNKNOWN for a partly rejected batch, and numbering continues', async () => {
  const harness = await open();
  const { publisher } = await harness.holder();
  await harness.publish(publisher, 1);
  await harness.admin.set('tickbus:{STATE}:last', 'a string');
  await harness.publish(publisher, 2);
  await harness.admin.del('tickbus:{STATE}:last');
  await harness.publish(publisher, 20);
  await harness.untilQuiet();
  expect([...harness.outcomes.values()].slice(1, 3)).toEqual(Array(2).fill('TICKBUS_OUTCOME_UNKNOWN'));
  expect(harness.received.map(({ seq }) => seq)).toEqual(Array.from({ length: 23 }, (_, index) => index + 1));
});

it('publish rejects while the head has a wrong type, and resumes after it is restored', async () => {
  const harness = await open();
  const holder = await harness.holder({ deadlineMs: 500 });
  await harness.publish(holder.publisher, 1);
  const head = await harness.admin.hGetAll('tickbus:{STATE}:head');
  await harness.admin.set('tickbus:{STATE}:head', 'a string');
  await harness.publish(holder.publisher, 2);
  expect(harness.countOf('TICKBUS_OUTCOME_UNKNOWN')).toBe(2);
  await harness.publish(holder.publisher, 1);
  expect(harness.outcomes.get(4)).toBe('TICKBUS_NOT_SENT');
  await harness.admin.multi().del('tickbus:{STATE}:head').hSet('tickbus:{STATE}:head', head).exec();
  await attached(holder);
  await harness.publish(holder.publisher, 1);
  expect(harness.outcomes.get(5)).toBe('published');
});

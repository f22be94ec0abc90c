// Exclusive writer on failing links: every outcome is known, in order, and nothing is published twice.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  EVENT,
  NO_VIOLATIONS,
  STATE,
  untilAttached,
  untilDetached,
  useWriterHarness,
} from './exclusive-writer.fixture.ts';

const { open } = useWriterHarness();

describe.each([STATE, EVENT])('on $name', (channel) => {
  it('publish resolves for executed batches whose replies were lost, without publishing twice', async () => {
    const harness = await open([], channel);
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
    const harness = await open([], channel);
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
    const harness = await open([], channel);
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
      await untilAttached(holder.lease);
    }
    await harness.untilQuiet();
    expect(harness.violations).toEqual(NO_VIOLATIONS);
    expect(harness.countOf('published')).toBe(25 * 15);
  });

  it('publish counts bytes that arrive between the two scripts of a resume', async () => {
    const harness = await open([], channel);
    const holder = await harness.holder();
    harness.proxy.holdsRequests = true;
    const sent = harness.publish(holder.publisher, 3);
    await sleep(10);
    harness.proxy.holdsRequests = false;
    let isReleased = false;
    // A resume sends CLIENT ID after its first script, and continues after the reply to CLIENT ID.
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
    const harness = await open([], channel);
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
    // On a busy machine some batches are next when the link drops three times, and are not sent again.
    expect(harness.countOf('published')).toBeGreaterThan(4_000);
  });
});

it('publish rejects with TICKBUS_NOT_SENT if the link is down until the deadline', async () => {
  const harness = await open();
  const holder = await harness.holder({ deadlineMs: 300 });
  await harness.publish(holder.publisher, 1);
  harness.proxy.refuses = true;
  harness.proxy.cut();
  await untilDetached(holder.lease);
  await harness.publish(holder.publisher, 5);
  expect(harness.countOf('TICKBUS_NOT_SENT')).toBe(5);
  harness.proxy.refuses = false;
  await untilAttached(holder.lease);
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
  await untilDetached(holder.lease);
  await untilAttached(holder.lease);
  await harness.publish(holder.publisher, 1);
  await harness.untilQuiet();
  expect(harness.received.map(({ n, seq }) => [n, seq])).toEqual([[6, 1]]);
});

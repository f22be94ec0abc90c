// Lost replies and long outages: outcomes of publishes, and expired commands.

import { equal, ok } from 'node:assert/strict';
import { heapAfterGc } from '@tickbus/fault-kit/heap';
import { type RedisPublisher, TickbusError } from 'tickbus';
import { ALERTS, FILLS, ORDERS } from '../fault-channels.ts';
import type { Scenario } from '../scenario.ts';
import { delay, within } from '../wait.ts';

export const replySwallowed: Scenario = {
  name: '07-reply-swallowed',
  expected:
    'After a dropped reply and a reset link the outcome is unknown. A retry with the same id has one effect.',
  async run(testbed) {
    const proxy = await testbed.proxy();
    const publisher = testbed.publisher(proxy.port);
    const listener = await testbed.listen(ORDERS);
    // The first publish loads the publish script on the server.
    await testbed.send(publisher, ORDERS);
    for (const id of ['order-1', undefined]) {
      const marker = `dropped ${id}`;
      const dropped = proxy.dropReplyTo(marker);
      let unknown: unknown;
      const sent = await testbed.ledger.publish(ORDERS, 'A', async (n) => {
        const data = { key: 'A', n, text: marker };
        const outcome = publisher.publish(ORDERS, data, { id }).catch((error: unknown) => {
          unknown = error;
        });
        (await within('The reply is dropped', dropped)).reset();
        await outcome;
        ok(
          unknown instanceof TickbusError && unknown.code === 'TICKBUS_OUTCOME_UNKNOWN',
          `the outcome is unknown: ${unknown}`,
        );
        ok(id === undefined || unknown.messageId === id, 'the error names the id');
        const published = await publishWithRetry(publisher, data, unknown.messageId ?? '');
        equal(published.repeated, true, 'the retry reports that the message was already published');
        return published;
      });
      equal(sent.outcome, 'accepted');
    }
    await testbed.send(publisher, ORDERS);
    await testbed.settle();
    equal(listener.recorder.history.seen.length, 4, 'each command is delivered once');
  },
};

/** Retries while the link reconnects. */
async function publishWithRetry(
  publisher: RedisPublisher,
  data: { key: string; n: number; text: string },
  id: string,
) {
  for (;;) {
    try {
      return await publisher.publish(ORDERS, data, { id });
    } catch (error) {
      if (!(error instanceof TickbusError && error.retryable)) throw error;
      await delay(5);
    }
  }
}

const DEADLINE_MS = 2_000;
const SLACK_MS = 500;
const MAX_GROWTH_BYTES = 20 * 1024 * 1024;
const BURST = 20;
const BURST_EVERY_MS = 10;

export const longOutage: Scenario = {
  name: '08-outage',
  expected:
    'During 60 s without a server, every publish settles by its deadline, and the heap grows by less than 20 MB.',
  waits: 'long',
  measuresHeap: true,
  shortened: '6 s instead of 60',
  async run(testbed) {
    const proxy = await testbed.proxy();
    const publisher = testbed.publisher(proxy.port);
    const listener = await testbed.listen(FILLS, { port: proxy.port });
    await testbed.send(publisher, FILLS);
    await testbed.settle();
    const text = 'x'.repeat(1_000);
    let attempts = 0;
    let slowestMs = 0;
    const pending = new Set<Promise<void>>();
    // `testbed.send` would record each message, and so enlarge the measured heap. ALERTS has no subscriber to check.
    const attempt = () => {
      const sentAt = performance.now();
      attempts++;
      const settled = publisher.publish(ALERTS, { key: 'A', n: attempts, text }).then(
        () => {},
        () => {},
      );
      const done: Promise<void> = settled.then(() => {
        slowestMs = Math.max(slowestMs, performance.now() - sentAt);
        pending.delete(done);
      });
      pending.add(done);
    };
    for (let i = 0; i < 1_000; i++) attempt();
    await Promise.all(pending);
    const before = heapAfterGc();
    testbed.reportWaiting();
    let highest = before;
    const half = testbed.scaled(30_000, 3_000);
    for (const startFault of [() => proxy.inject({ type: 'blackhole' }), () => proxy.refuse()]) {
      startFault();
      const endsAt = performance.now() + half;
      let measureAt = 0;
      while (performance.now() < endsAt) {
        for (let i = 0; i < BURST; i++) attempt();
        await delay(BURST_EVERY_MS);
        if (performance.now() < measureAt) continue;
        highest = Math.max(highest, heapAfterGc());
        measureAt = performance.now() + half / 3;
      }
    }
    await within('Every publish settles', Promise.all(pending), DEADLINE_MS + SLACK_MS);
    const grown = highest - before;
    testbed.note(
      `${attempts} publishes, the slowest settled after ${Math.round(slowestMs)} ms; ` +
        `the heap grew by ${(grown / 2 ** 20).toFixed(1)} MB`,
    );
    ok(
      slowestMs <= DEADLINE_MS + SLACK_MS,
      `every publish settles by its deadline; one took ${slowestMs} ms`,
    );
    ok(grown < MAX_GROWTH_BYTES, `the heap grows by less than 20 MB; it grew by ${grown} bytes`);
    const healedAt = performance.now();
    proxy.heal();
    await within('Live again', listener.statuses.first('live', healedAt));
    await testbed.sendUntilAccepted(publisher, FILLS);
    await testbed.settle();
  },
};

export const staleCommands: Scenario = {
  name: '09-no-stale-command',
  expected: 'After an outage of 60 s no expired command is handled; late commands are reported as expired.',
  waits: 'long',
  shortened: '6 s instead of 60',
  async run(testbed) {
    const publisher = testbed.publisher();
    const proxy = await testbed.proxy();
    const late: number[] = [];
    const listeners = [await testbed.listen(ORDERS), await testbed.listen(ORDERS, { port: proxy.port })];
    for (const { subscriber } of listeners)
      subscriber.subscribe(ORDERS, ({ expires_at = 0 }) => {
        if (expires_at <= Date.now()) late.push(Date.now() - expires_at);
      });
    await testbed.send(publisher, ORDERS);
    await testbed.settle();

    // Holds commands back on the wire until they expire, for less than the link timeout. On a busy machine the link can
    // time out anyway. Then the commands are reported as a gap, and the loop tries again.
    const held = listeners[1]?.recorder;
    for (let attempts = 3; attempts > 0 && held?.history.expired.length === 0; attempts--) {
      const gapsBefore = held.history.gaps.length;
      proxy.inject({ type: 'stall' }, 'to_client');
      for (let i = 0; i < 10; i++) await testbed.send(publisher, ORDERS);
      await delay(1_600);
      proxy.heal();
      const isReported = held.until(({ expired, gaps }) => expired.length >= 10 || gaps.length > gapsBefore);
      await within('Late commands are reported', isReported);
    }
    ok((held?.history.expired.length ?? 0) > 0, 'late commands are reported as expired');

    // A stopped server executes the commands when it resumes, long after they have expired.
    testbed.redis.pause();
    const sending = Array.from({ length: 10 }, () => testbed.send(publisher, ORDERS));
    testbed.reportWaiting();
    const endsAt = performance.now() + testbed.scaled(60_000, 6_000);
    while (performance.now() < endsAt) {
      sending.push(testbed.send(publisher, ORDERS));
      await delay(100);
    }
    testbed.redis.resume();
    const outcomes = (await Promise.all(sending)).map(({ outcome }) => outcome);
    equal(outcomes.includes('accepted'), false, 'no command is accepted during the outage');
    const last = await testbed.sendUntilAccepted(publisher, ORDERS);
    for (const { recorder } of listeners)
      await within(
        'A new command is handled',
        recorder.until(({ seen, gaps }) => seen.at(-1)?.n === last.n || gaps.length > 0),
      );
    await testbed.settle();
    const expired = listeners.map(({ recorder }) => recorder.history.expired.length);
    const unknown = outcomes.filter((outcome) => outcome === 'unknown').length;
    testbed.note(
      `${outcomes.length} commands during the outage, ${unknown} of them unknown; ` +
        `reported as expired: ${expired.join(' and ')}`,
    );
    equal(late.length, 0, `no command is handled after it expired; ${late.length} were`);
  },
};

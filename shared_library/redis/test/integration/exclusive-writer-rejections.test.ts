// Exclusive writer on a server that rejects a batch or a part of it, or whose channel head has a wrong type.

import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '@tickbus/test-kit';
import { expect, it } from 'vitest';
import { RedisSubscriber } from '../../index.ts';
import {
  HEAD_KEY,
  LEASE_KEY,
  NO_VIOLATIONS,
  STATE,
  untilAttached,
  useWriterHarness,
} from './exclusive-writer.fixture.ts';

const { open } = useWriterHarness();

it('publish rejects with TICKBUS_SERVER_ERROR before an accepted batch, and subscribers report the gap', async () => {
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

it('publish on a deposed holder settles with the outcome of every batch in flight', async () => {
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
  // Another holder takes over twice, so the channel head records earlier epochs besides the last one.
  await harness.admin.del(LEASE_KEY);
  for (let time = 0; time < 2; time++) {
    await harness.admin.hSet(HEAD_KEY, 'until', '0');
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
  // The server disconnects a client whose queued commands exceed this limit.
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
  const head = await harness.admin.hGetAll(HEAD_KEY);
  await harness.admin.set(HEAD_KEY, 'a string');
  await harness.publish(holder.publisher, 2);
  expect(harness.countOf('TICKBUS_OUTCOME_UNKNOWN')).toBe(2);
  await harness.publish(holder.publisher, 1);
  expect(harness.outcomes.get(4)).toBe('TICKBUS_NOT_SENT');
  await harness.admin.multi().del(HEAD_KEY).hSet(HEAD_KEY, head).exec();
  await untilAttached(holder.lease);
  await harness.publish(holder.publisher, 1);
  expect(harness.outcomes.get(5)).toBe('published');
});

// messages() and statusChanges(): iteration, leaving the loop, and close().

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { FILLS } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';

describe('messages()', () => {
  it('yields messages to a loop whose body is the handler', async () => {
    const harness = new PubSubHarness();
    const messages = harness.subscriber.messages(FILLS);
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2, 3);
    const received: number[] = [];
    for await (const { data } of messages) {
      received.push(data.n);
      expect(harness.subscriber.status(FILLS)?.queueDepth).toBe(3 - data.n);
      if (data.n === 3) break;
    }
    expect(received).toEqual([1, 2, 3]);
    expect(harness.subscriber.status(FILLS)).toBeUndefined();
  });

  it('queues messages up to queueLimit while the body works', async () => {
    const harness = new PubSubHarness();
    const messages = harness.subscriber.messages(FILLS, { queueLimit: 2 });
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1);
    expect((await messages.next()).value?.data.n).toBe(1);
    await harness.publishNotes(FILLS, 2, 3, 4, 5);
    expect((await messages.next()).value?.data.n).toBe(4);
    expect(harness.gaps).toMatchObject([{ cause: 'overflow', from: 2, to: 3, lost: 2 }]);
    await messages.return?.();
  });

  it('resolves pending next() calls in order', async () => {
    const harness = new PubSubHarness();
    const messages = harness.subscriber.messages(FILLS);
    await harness.subscriber.startListening();
    const [first, second] = [messages.next(), messages.next()];
    await harness.publishNotes(FILLS, 1, 2);
    expect([(await first).value?.data.n, (await second).value?.data.n]).toEqual([1, 2]);
    await messages.return?.();
  });

  it('ends after the received messages on close()', async () => {
    const harness = new PubSubHarness();
    const messages = harness.subscriber.messages(FILLS);
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2, 3);
    await harness.subscriber.close();
    const received: number[] = [];
    for await (const { data } of messages) received.push(data.n);
    expect(received).toEqual([1, 2, 3]);
    expect(harness.gaps).toEqual([]);
  });

  it('ends a pending next() on close()', async () => {
    const harness = new PubSubHarness();
    const messages = harness.subscriber.messages(FILLS);
    await harness.subscriber.startListening();
    const waiting = messages.next();
    await harness.subscriber.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await messages.next()).toEqual({ done: true, value: undefined });
  });

  it('can be returned twice and after the end', async () => {
    const harness = new PubSubHarness();
    const messages = harness.subscriber.messages(FILLS);
    await messages.return?.();
    await messages.return?.();
    expect(await messages.next()).toMatchObject({ done: true });
    await harness.subscriber.close();
  });
});

describe('statusChanges', () => {
  it('yields every status until close()', async () => {
    const { subscriber } = new PubSubHarness();
    subscriber.subscribe(FILLS, () => {});
    const changes = subscriber.statusChanges();
    await subscriber.startListening();
    await eventLoopTurns(2);
    await subscriber.close();
    const types: string[] = [];
    for await (const { type } of changes) types.push(type);
    expect(types).toEqual(['connected', 'recovering', 'live']);
  });

  it('ends on return(), and drops the oldest status above 1,000', async () => {
    const { subscriber, connection } = new PubSubHarness();
    subscriber.subscribe(FILLS, () => {});
    await subscriber.startListening();
    const left = subscriber.statusChanges();
    const behind = subscriber.statusChanges();
    const waiting = left.next();
    connection.subscribing.disconnect();
    expect((await waiting).value).toMatchObject({ type: 'disconnected' });
    await left.return?.();
    for (let cut = 0; cut < 600; cut++) {
      connection.subscribing.reconnect();
      connection.subscribing.disconnect();
    }
    expect(await left.next()).toEqual({ done: true, value: undefined });
    await subscriber.close();
    let count = 0;
    for await (const _ of behind) count++;
    expect(count).toBe(1_000);
  });
});

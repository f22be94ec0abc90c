// Life cycle of a subscriber: startListening(), its failures, and close().

import { deferred, errorOf, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { TickbusError } from '../../errors.ts';
import { ALERTS, FILLS, noteEnvelope } from '../channels.fixture.ts';
import { fakeSubscriber } from '../fake-transport.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { slowHandler } from './slow-handler.fixture.ts';

describe('startListening', () => {
  it('resolves for every caller once every subscription is acknowledged', async () => {
    const { transport, subscriber } = fakeSubscriber();
    const acknowledged = deferred();
    transport.onSubscribe = () => acknowledged.promise;
    subscriber.subscribe(FILLS, () => {});
    let listening = 0;
    for (let n = 0; n < 2; n++) void subscriber.startListening().then(() => listening++);
    await eventLoopTurns();
    expect(listening).toBe(0);
    acknowledged.resolve();
    await eventLoopTurns();
    expect(listening).toBe(2);
  });

  it('rejects with TICKBUS_DENIED for a rejected subscription, and can be called again', async () => {
    const { transport, subscriber } = fakeSubscriber();
    const received: number[] = [];
    subscriber.subscribe(FILLS, ({ data }) => received.push(data.n));
    transport.onSubscribe = () => Promise.reject({ code: 'TICKBUS_DENIED' });
    expect(await errorOf(subscriber.startListening())).toEqual({ code: 'TICKBUS_DENIED' });
    transport.onSubscribe = async () => {};
    await subscriber.startListening();
    await eventLoopTurns();
    transport.onRead = async () => ({ position: { epoch: 1, seq: 1 }, at: 0, entries: [] });
    transport.push(noteEnvelope(1, { epoch: 1, seq: 1 }));
    await eventLoopTurns();
    expect(received).toEqual([1]);
  });

  it('rejects with TICKBUS_CONNECT_FAILED without a connection, and can be called again', async () => {
    const { transport, subscriber } = fakeSubscriber();
    transport.connect = () => Promise.reject({ code: 'TICKBUS_CONNECT_FAILED' });
    expect(await errorOf(subscriber.startListening())).toEqual({ code: 'TICKBUS_CONNECT_FAILED' });
    transport.connect = async () => {};
    await subscriber.startListening();
  });

  it('reports a later subscription that is rejected as recovery_failed', async () => {
    const { transport, subscriber } = fakeSubscriber();
    const statuses: unknown[] = [];
    subscriber.on('status', (status) => statuses.push(status));
    await subscriber.startListening();
    const error = { code: 'TICKBUS_DENIED' };
    transport.onSubscribe = () => Promise.reject(error);
    subscriber.subscribe(FILLS, () => {});
    await eventLoopTurns();
    expect(statuses).toEqual([{ type: 'recovery_failed', channel: 'FILLS', error }]);
  });

  it('resolves only once the position is known, so that no loss goes unreported', async () => {
    const { publisher, subscriber, connection, link, statuses } = new PubSubHarness();
    const received: number[] = [];
    subscriber.subscribe(ALERTS, ({ data }) => received.push(data.n));
    const read = link.read.bind(link);
    const firstRead = deferred<void>();
    link.read = async () => {
      link.read = read;
      firstRead.resolve();
      throw new TickbusError('TICKBUS_NOT_CONNECTED', 'The link went down before the reply.');
    };
    let isListening = false;
    const listening = subscriber.startListening().then(() => {
      isListening = true;
    });
    await firstRead.promise;
    connection.subscribing.disconnect();
    await publisher.publish(ALERTS, { n: 1 }, { type: 'note' });
    await eventLoopTurns(5);
    expect(isListening).toBe(false);
    connection.subscribing.reconnect();
    await listening;
    connection.subscribing.disconnect();
    await publisher.publish(ALERTS, { n: 2 }, { type: 'note' });
    connection.subscribing.reconnect();
    await publisher.publish(ALERTS, { n: 3 }, { type: 'note' });
    await eventLoopTurns(5);
    expect(received).toEqual([3]);
    expect(statuses.filter(({ type }) => type === 'gap')).toMatchObject([{ from: 2, to: 2, lost: 1 }]);
  });

  it('rejects with the error of a link that fails for good', async () => {
    const { transport, subscriber } = fakeSubscriber();
    transport.onRead = () => new Promise(() => {});
    subscriber.subscribe(ALERTS, () => {});
    const listening = errorOf(subscriber.startListening());
    await eventLoopTurns(3);
    transport.emitStatus({ type: 'failed', error: new TickbusError('TICKBUS_AUTH_FAILED', 'Refused.') });
    expect(await listening).toMatchObject({ code: 'TICKBUS_AUTH_FAILED' });
  });
});

describe('close', () => {
  it('lets handlers finish the received messages', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    harness.subscriber.subscribe(FILLS, slow.handler);
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2);
    let closed = false;
    const closing = harness.subscriber.close().then(() => {
      closed = true;
    });
    await eventLoopTurns();
    await harness.publishNotes(FILLS, 3);
    await slow.finish();
    expect(closed).toBe(false);
    await slow.finish();
    await closing;
    expect(slow.numbers()).toEqual([1, 2]);
    expect(harness.gaps).toEqual([]);
  });

  it('drops unhandled messages after timeoutMs and reports a gap', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    harness.subscriber.subscribe(FILLS, slow.handler);
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1, 2, 3);
    const closing = harness.subscriber.close({ timeoutMs: 200 });
    await eventLoopTurns();
    await harness.clock.advance(200);
    await closing;
    expect(harness.gaps).toMatchObject([{ cause: 'overflow', from: 2, to: 3, lost: 2 }]);
    await slow.finish();
    expect(slow.numbers()).toEqual([1]);
  });

  it('called twice waits in both calls', async () => {
    const harness = new PubSubHarness();
    const slow = slowHandler();
    harness.subscriber.subscribe(FILLS, slow.handler);
    await harness.subscriber.startListening();
    await harness.publishNotes(FILLS, 1);
    let ended = 0;
    for (let n = 0; n < 2; n++) void harness.subscriber.close().then(() => ended++);
    await eventLoopTurns();
    expect(ended).toBe(0);
    await slow.finish();
    expect(ended).toBe(2);
  });

  it('makes every later call fail with TICKBUS_CLOSED', async () => {
    const { subscriber } = new PubSubHarness();
    await subscriber.close();
    await subscriber.close();
    const closed = { code: 'TICKBUS_CLOSED' };
    expect(await errorOf(subscriber.startListening())).toMatchObject(closed);
    expect(await errorOf(() => subscriber.subscribe(FILLS, () => {}))).toMatchObject(closed);
    expect(await errorOf(() => subscriber.messages(FILLS))).toMatchObject(closed);
  });

  it('runs at the end of `await using`', async () => {
    const { subscriber } = new PubSubHarness();
    {
      await using scoped = subscriber;
      await scoped.startListening();
    }
    expect(await errorOf(subscriber.startListening())).toMatchObject({ code: 'TICKBUS_CLOSED' });
  });
});

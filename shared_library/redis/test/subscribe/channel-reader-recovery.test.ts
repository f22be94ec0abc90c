// Recovery of a channel: dropped links, rejected reads, and closing during a recovery.

import { deferred, eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import type { ChannelState } from '../../transport/port.ts';
import { ALERTS, FILLS, noteEnvelope } from '../channels.fixture.ts';
import { fakeSubscriber } from '../fake-transport.fixture.ts';
import { noteText, subscribedTo } from './channel-reader.fixture.ts';

describe('a dropped link', () => {
  it('that comes back repairs the gap from history', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1);
    harness.connection.subscribing.disconnect();
    await harness.publishNotes(FILLS, 2, 3);
    harness.connection.subscribing.reconnect();
    await eventLoopTurns();
    await harness.publishNotes(FILLS, 4);
    expect(received).toEqual(['1', '2', '3', '4']);
    expect(harness.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 3, lost: 0, repaired: true }]);
    const types = harness.statuses.map(({ type }) => type);
    expect(types.slice(types.indexOf('disconnected'))).toEqual([
      'disconnected',
      'connected',
      'recovering',
      'gap',
      'live',
    ]);
  });

  it('that comes back reports the exact range of a gap without history', async () => {
    const { harness, received } = await subscribedTo(ALERTS);
    await harness.publishNotes(ALERTS, 1);
    harness.connection.subscribing.disconnect();
    await harness.publishNotes(ALERTS, 2, 3);
    harness.connection.subscribing.reconnect();
    await eventLoopTurns();
    await harness.publishNotes(ALERTS, 4);
    expect(received).toEqual(['1', '4']);
    expect(harness.gaps).toMatchObject([{ cause: 'loss', from: 2, to: 3, lost: 2, repaired: false }]);
  });

  it('that comes back without a loss reports no gap', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1);
    harness.connection.subscribing.disconnect();
    harness.connection.subscribing.reconnect();
    await eventLoopTurns();
    await harness.publishNotes(FILLS, 2);
    expect(received).toEqual(['1', '2']);
    expect(harness.gaps).toEqual([]);
  });

  it('during a recovery discards the result of the older read', async () => {
    const { transport, subscriber } = fakeSubscriber();
    // The first query of each connection asks for the head.
    const replies = [deferred<ChannelState>(), deferred<ChannelState>(), deferred<ChannelState>()];
    let count = 0;
    transport.onRead = () => replies[count++]?.promise ?? Promise.reject({ code: 'TICKBUS_NOT_CONNECTED' });
    subscriber.subscribe(FILLS, () => {});
    const listening = subscriber.startListening();
    await eventLoopTurns();
    transport.emitStatus({ type: 'connected', generation: 2 });
    await eventLoopTurns();
    replies[0]?.resolve({ position: { epoch: 1, seq: 100 }, at: 0, entries: [] });
    await eventLoopTurns();
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'recovering', position: undefined });
    replies[1]?.resolve({ position: { epoch: 1, seq: 4 }, at: 0, entries: [] });
    replies[2]?.resolve({ position: { epoch: 1, seq: 5 }, at: 0, entries: [] });
    await eventLoopTurns();
    expect(transport.reads).toContainEqual({ epoch: 1, seq: 4 });
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'live', position: { epoch: 1, seq: 5 } });
    await listening;
  });

  it('read that the server rejects is reported and retried', async () => {
    const { transport, clock, logger, subscriber } = fakeSubscriber();
    const statuses: unknown[] = [];
    subscriber.on('status', (status) => statuses.push(status));
    const error = { code: 'TICKBUS_SERVER_ERROR' };
    transport.onRead = () => Promise.reject(error);
    subscriber.subscribe(FILLS, () => {});
    await subscriber.startListening();
    await eventLoopTurns();
    expect(statuses).toContainEqual({ type: 'recovery_failed', channel: 'FILLS', error });
    expect(logger.lines.some(({ level }) => level === 'error')).toBe(true);
    transport.onRead = async () => ({ position: { epoch: 1, seq: 1 }, at: 0, entries: [] });
    await clock.advance(1_000);
    await eventLoopTurns();
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'live', position: { epoch: 1, seq: 1 } });
  });
});

it('status is never "live" while the link is down', async () => {
  const { harness } = await subscribedTo(FILLS);
  expect(harness.subscriber.status(FILLS)?.mode).toBe('live');
  harness.connection.disconnect();
  expect(harness.subscriber.status(FILLS)?.mode).toBe('recovering');
  harness.connection.reconnect();
  await eventLoopTurns();
  expect(harness.subscriber.status(FILLS)?.mode).toBe('live');
});

describe('a user without the right to read', () => {
  async function denied() {
    const { transport, subscriber } = fakeSubscriber();
    const received: string[] = [];
    const gaps: unknown[] = [];
    const failures: unknown[] = [];
    subscriber.on('status', (status) => {
      if (status.type === 'gap') gaps.push([status.from, status.to, status.lost, status.repaired]);
      if (status.type === 'recovery_failed') failures.push(status.error);
    });
    transport.onRead = () => Promise.reject({ code: 'TICKBUS_DENIED' });
    subscriber.subscribe(FILLS, (message) => received.push(noteText(message)));
    await subscriber.startListening();
    return { transport, subscriber, received, gaps, failures };
  }

  it('receives every message, and gaps are reported as not repaired', async () => {
    const { transport, received, gaps, failures } = await denied();
    transport.push(noteEnvelope(4, { epoch: 1, seq: 4 }));
    await eventLoopTurns();
    for (const n of [5, 8]) transport.push(noteEnvelope(n, { epoch: 1, seq: n }));
    await eventLoopTurns();
    expect(received).toEqual(['4', '5', '8']);
    expect(gaps).toEqual([[6, 7, 2, false]]);
    expect(failures).toEqual([{ code: 'TICKBUS_DENIED' }]);
    expect([transport.heads, transport.reads.length]).toEqual([1, 0]);
  });

  it('reads again on the next connection', async () => {
    const { transport, subscriber, received } = await denied();
    await eventLoopTurns();
    transport.onRead = async () => ({ position: { epoch: 1, seq: 3 }, at: 0, entries: [] });
    transport.emitStatus({ type: 'connected', generation: 2 });
    await eventLoopTurns();
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'live', position: { epoch: 1, seq: 3 } });
    transport.push(noteEnvelope(4, { epoch: 1, seq: 4 }));
    expect(received).toEqual(['4']);
  });
});

describe('close during a recovery', () => {
  it('delivers received messages even if the channel cannot be read', async () => {
    const { transport, clock, subscriber } = fakeSubscriber();
    const received: string[] = [];
    transport.onRead = () => new Promise(() => {});
    subscriber.subscribe(FILLS, (message) => received.push(noteText(message)));
    const listening = subscriber.startListening();
    await eventLoopTurns();
    transport.push(noteEnvelope(1, { epoch: 1, seq: 1 }));
    transport.push(noteEnvelope(50));
    const closing = subscriber.close({ timeoutMs: 100 });
    await eventLoopTurns();
    await clock.advance(100);
    await closing;
    expect(received).toEqual(['1', '50']);
    await listening;
  });
});

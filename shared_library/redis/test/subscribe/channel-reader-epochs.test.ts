// New epochs of a channel: after the server lost its memory, and after a new lease.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import { TickbusError } from '../../errors.ts';
import type { ChannelState } from '../../transport/port.ts';
import { ALERTS, FILLS, frameOf, noteEnvelope } from '../channels.fixture.ts';
import { fakeSubscriber } from '../fake-transport.fixture.ts';
import { dropNotes, noteText, positionOf, subscribedTo } from './channel-reader.fixture.ts';

describe('a new epoch', () => {
  it('is reported as a gap without an end, and its messages are delivered', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1, 2);
    const before = positionOf(harness);
    harness.server.flush();
    await harness.publishNotes(FILLS, 3, 4);
    await eventLoopTurns();
    expect(received).toEqual(['1', '2', '3', '4']);
    expect(harness.gaps).toEqual([
      {
        type: 'gap',
        channel: 'FILLS',
        cause: 'epoch',
        epoch: before.epoch,
        from: 3,
        to: undefined,
        lost: undefined,
        repaired: false,
      },
    ]);
    const after = harness.subscriber.status(FILLS)?.position;
    expect(after?.epoch).toBeGreaterThan(before.epoch);
    expect(after?.seq).toBe(2);
  });

  it('whose beginning was missed adds a gap with its exact range', async () => {
    const { harness, received } = await subscribedTo(ALERTS);
    await harness.publishNotes(ALERTS, 1);
    harness.server.flush();
    dropNotes(harness, 2, 3);
    await harness.publishNotes(ALERTS, 2, 3, 4);
    await eventLoopTurns();
    expect(received).toEqual(['1', '4']);
    expect(harness.gaps).toMatchObject([
      { cause: 'epoch', from: 2, to: undefined },
      { cause: 'loss', from: 1, to: 2, lost: 2 },
    ]);
  });

  it('is detected by the head check, also after the server lost its memory', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1);
    harness.server.flush();
    await harness.clock.advance(1_000);
    await eventLoopTurns();
    expect(harness.gaps).toMatchObject([{ cause: 'epoch', from: 2 }]);
    await harness.publishNotes(FILLS, 2);
    await eventLoopTurns();
    expect(received).toEqual(['1', '2']);
    await harness.clock.advance(5_000);
    expect(harness.gaps).toHaveLength(1);
  });
});

describe('a new epoch by a lease', () => {
  it('redelivers nothing from the history', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1, 2, 3);
    await harness.acquireAndReleaseLease(FILLS);
    await harness.publishNotes(FILLS, 4);
    await harness.clock.advance(1_000);
    await eventLoopTurns();
    expect(received).toEqual(['1', '2', '3', '4']);
    expect(harness.gaps).toMatchObject([{ cause: 'epoch', from: 4, to: undefined }]);
  });

  it('repairs losses of the old epoch as far as history reaches', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    dropNotes(harness, 2, 3);
    await harness.publishNotes(FILLS, 1, 2, 3);
    await harness.acquireAndReleaseLease(FILLS);
    await harness.publishNotes(FILLS, 4);
    await eventLoopTurns();
    expect(received.map((one) => one.replace(' snapshot', ''))).toEqual(['1', '2', '3', '4']);
    expect(harness.gaps).toMatchObject([
      { cause: 'loss', from: 2, to: 3, repaired: true },
      { cause: 'epoch', from: 4, to: undefined },
    ]);
  });
});

describe('a server with an older memory', () => {
  /** The reply of the server to a read: the head (the latest position) and the stored messages. */
  const stateOf = (epoch: number, seq: number, ...kept: (readonly [epoch: number, seq: number])[]) => ({
    position: { epoch, seq },
    at: 0,
    entries: kept.map(([of, number]) => frameOf(noteEnvelope(of * 10 + number, { epoch: of, seq: number }))),
  });

  /** A subscriber that has received messages 1 to 3 of epoch 7. */
  async function atThree() {
    const { transport, clock, subscriber } = fakeSubscriber();
    const received: string[] = [];
    const gaps: unknown[] = [];
    subscriber.on('gap', ({ cause, epoch, from, to }) => gaps.push({ cause, epoch, from, to }));
    subscriber.subscribe(FILLS, (message) => received.push(noteText(message)));
    transport.onRead = async () => stateOf(7, 0);
    await subscriber.startListening();
    await eventLoopTurns();
    for (const seq of [1, 2, 3]) transport.push(noteEnvelope(70 + seq, { epoch: 7, seq }));
    /** Reconnects to a server in this state. */
    const reconnect = async (state: ChannelState, generation: number) => {
      transport.onRead = async () => state;
      transport.emitStatus({ type: 'connected', generation });
      await eventLoopTurns();
    };
    return { transport, clock, subscriber, received, gaps, reconnect };
  }

  const unknownAfterThree = { cause: 'epoch', epoch: 7, from: 4, to: undefined };

  it('with the same epoch and a lower head: the rest of the epoch is reported as unknown, once', async () => {
    const { transport, subscriber, gaps, reconnect } = await atThree();
    await reconnect(stateOf(7, 2), 2);
    expect(gaps).toEqual([unknownAfterThree]);
    expect(subscriber.status(FILLS)).toMatchObject({ mode: 'live', position: { epoch: 7, seq: 2 } });
    transport.onRead = async () => stateOf(8, 1, [8, 1]);
    transport.push(noteEnvelope(81, { epoch: 8, seq: 1 }));
    await eventLoopTurns();
    expect(gaps).toEqual([unknownAfterThree]);
    expect(subscriber.status(FILLS)?.position).toEqual({ epoch: 8, seq: 1 });
  });

  it('delivers what arrived on the lost link above the head, and accuses nobody', async () => {
    const { transport, subscriber, received, gaps, reconnect } = await atThree();
    const forged: unknown[] = [];
    subscriber.on('forged', ({ from, to, isProved }) => forged.push({ from, to, isProved }));
    transport.onRead = () => new Promise(() => {});
    for (const seq of [5, 6]) transport.push(noteEnvelope(70 + seq, { epoch: 7, seq }));
    transport.emitStatus({ type: 'disconnected', error: new TickbusError('TICKBUS_NOT_CONNECTED', 'down') });
    await reconnect(stateOf(7, 2), 2);
    expect(received).toEqual(['71', '72', '73', '75', '76']);
    expect(gaps).toEqual([unknownAfterThree]);
    expect(forged).toEqual([{ from: 5, to: 6, isProved: false }]);
    // Their numbers are not proved, so the real messages with these numbers are delivered too.
    for (const seq of [3, 4, 5, 6]) transport.push(noteEnvelope(170 + seq, { epoch: 7, seq }));
    expect(received.slice(5)).toEqual(['173', '174', '175', '176']);
  });

  it('on another branch with the same head: the rest of the epoch is reported as unknown', async () => {
    const { gaps, received, reconnect } = await atThree();
    await reconnect({ ...stateOf(7, 3), isForgotten: true }, 2);
    expect(gaps).toEqual([unknownAfterThree]);
    expect(received).toEqual(['71', '72', '73']);
  });

  it('is not assumed if the head is lower on the same link: a message had a forged number', async () => {
    const { transport, clock, subscriber, gaps } = await atThree();
    transport.onRead = async () => stateOf(7, 2);
    await clock.advance(1_000);
    await eventLoopTurns();
    expect(subscriber.status(FILLS)?.position).toEqual({ epoch: 7, seq: 2 });
    expect(gaps).toEqual([]);
  });

  it('in an ended epoch: no message of it or of the next epoch is delivered or reported again', async () => {
    const { received, gaps, reconnect } = await atThree();
    await reconnect(stateOf(8, 2, [8, 1], [8, 2]), 2);
    expect(received.slice(3).map((text) => text.replace(' snapshot', ''))).toEqual(['81', '82']);
    gaps.splice(0);
    await reconnect(stateOf(7, 3, [7, 2], [7, 3]), 3);
    expect(gaps).toEqual([{ cause: 'epoch', epoch: 8, from: 3, to: undefined }]);
    await reconnect(stateOf(9, 1, [7, 3], [8, 1], [8, 2], [9, 1]), 4);
    expect(received.slice(5).map((text) => text.replace(' snapshot', ''))).toEqual(['91']);
  });
});

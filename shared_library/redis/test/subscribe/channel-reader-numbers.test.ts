// Positions and fields that no tickbus publisher writes: missing, forged or out of place.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../wire/position.ts';
import { CHAT, FILLS, frameOf, noteEnvelope } from '../channels.fixture.ts';
import { PubSubHarness } from '../pubsub-harness.fixture.ts';
import { type Note, noteText, positionOf, subscribedTo } from './channel-reader.fixture.ts';

describe('messages without a position', () => {
  it('are delivered on a numbered channel and do not change its position', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1);
    harness.server.publishRaw('FILLS', frameOf(noteEnvelope(50)));
    await harness.publishNotes(FILLS, 2);
    expect(received).toEqual(['1', '50', '2']);
    expect(harness.gaps).toEqual([]);
    expect(harness.subscriber.status(FILLS)?.position?.seq).toBe(2);
  });

  it('make up a plain channel: live at once, no gaps, no reads', async () => {
    const { harness, received } = await subscribedTo(CHAT);
    await harness.publishNotes(CHAT, 1, 2);
    await harness.clock.advance(3_000);
    expect(received).toEqual(['1', '2']);
    expect(harness.link.reads).toEqual([]);
    expect(harness.statuses).toContainEqual({ type: 'live', channel: 'CHAT', numbered: false });
    expect(harness.subscriber.status(CHAT)).toMatchObject({ mode: 'live', position: undefined });
  });

  it('held during a recovery are delivered after it', async () => {
    const harness = new PubSubHarness();
    const received: string[] = [];
    harness.subscriber.subscribe(FILLS, (message) => received.push(noteText(message)));
    await harness.subscriber.startListening();
    harness.server.publishRaw('FILLS', frameOf(noteEnvelope(50)));
    await eventLoopTurns();
    expect(received).toEqual(['50']);
  });
});

const forgedAt = ({ epoch, seq }: Position) => ({ epoch, from: seq, to: seq });

describe('a message with a forged position', () => {
  /** Counts reads, and stops a reader that reads endlessly. */
  function countReads(harness: PubSubHarness) {
    const counted = { reads: 0 };
    const read = harness.link.read.bind(harness.link);
    harness.link.read = (...args) => {
      counted.reads++;
      return counted.reads > 20 ? Promise.reject({ code: 'TICKBUS_NOT_CONNECTED' }) : read(...args);
    };
    return counted;
  }

  // As if a plain client republished a message of another channel or server without changing its position.
  it.each<[string, (epoch: number) => Position]>([
    ['far ahead', (epoch) => ({ epoch, seq: 1_000_000 })],
    ['of a later epoch', (epoch) => ({ epoch: epoch + 1_000_000, seq: 3 })],
  ])('(%s) is reported as forged with few reads, and the next message is delivered', async (_, forge) => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1);
    const { epoch } = positionOf(harness);
    const counted = countReads(harness);
    harness.server.publishRaw('FILLS', frameOf(noteEnvelope(99, forge(epoch))));
    await eventLoopTurns(50);
    expect(counted.reads).toBeLessThanOrEqual(3);
    expect(harness.forged).toMatchObject([
      { channel: 'FILLS', isProved: true, ...forgedAt(forge(epoch)), count: 1, senders: ['test'] },
    ]);
    await harness.publishNotes(FILLS, 2);
    await eventLoopTurns();
    expect(received).toEqual(['1', '2']);
    expect(harness.gaps).toEqual([]);
    expect(harness.subscriber.status(FILLS)?.mode).toBe('live');
  });

  it('on an unused channel is reported with few reads', async () => {
    const { harness } = await subscribedTo(FILLS);
    const counted = countReads(harness);
    harness.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch: 5, seq: 7 })));
    await eventLoopTurns(50);
    expect(counted.reads).toBeLessThanOrEqual(3);
    expect(harness.forged).toMatchObject([{ isProved: true, ...forgedAt({ epoch: 5, seq: 7 }) }]);
  });
});

describe('a forged sequence number', () => {
  it('in place of the next one does not keep the real message from being delivered', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1);
    const { epoch } = positionOf(harness);
    harness.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch, seq: 2 })));
    await harness.publishNotes(FILLS, 2, 3);
    await eventLoopTurns();
    expect(received).toEqual(['1', '99', '2', '3']);
    expect(harness.forged).toMatchObject([{ isProved: true, from: 2, to: 2, senders: ['test'] }]);
    expect(harness.gaps).toEqual([]);
  });

  it('is corrected by the head check', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1);
    const { epoch } = positionOf(harness);
    harness.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch, seq: 2 })));
    await harness.clock.advance(1_000);
    await eventLoopTurns();
    await harness.publishNotes(FILLS, 2);
    expect(received).toEqual(['1', '99', '2']);
    expect(harness.forged).toMatchObject([{ isProved: true, from: 2, to: 2, senders: ['test'] }]);
  });

  it('repeated a thousand times costs a few reads', async () => {
    const { harness, received } = await subscribedTo(FILLS);
    await harness.publishNotes(FILLS, 1);
    const { epoch } = positionOf(harness);
    let reads = 0;
    const read = harness.link.read.bind(harness.link);
    harness.link.read = (...args) => {
      reads++;
      return read(...args);
    };
    for (let n = 0; n < 1_000; n++)
      harness.server.publishRaw('FILLS', frameOf(noteEnvelope(n, { epoch, seq: 1_000 + n })));
    await eventLoopTurns(20);
    await harness.publishNotes(FILLS, 2);
    await eventLoopTurns();
    await harness.clock.advance(100);
    await eventLoopTurns();
    expect(reads).toBeLessThan(10);
    expect(harness.subscriber.status(FILLS)?.forged).toBe(1_000);
    expect(received).toEqual(['1', '2']);
  });
});

describe('fields added for the handler', () => {
  it('are dropped from the wire', async () => {
    const harness = new PubSubHarness();
    const messages: Note[] = [];
    harness.subscriber.subscribe(FILLS, (message) => messages.push(message));
    await harness.subscriber.startListening();
    await eventLoopTurns();
    harness.server.publishRaw('FILLS', frameOf({ ...noteEnvelope(1), snapshot: true, conflated: 'many' }));
    expect(messages).toHaveLength(1);
    expect(messages[0]?.snapshot).toBeUndefined();
    expect(messages[0]?.conflated).toBeUndefined();
    expect(harness.subscriber.status(FILLS)?.conflated).toBe(0);
  });
});

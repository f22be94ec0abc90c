// Positions and fields that no tickbus publisher writes: missing, forged or out of place.

import { eventLoopTurns } from '@tickbus/test-kit';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../wire/position.ts';
import { Bench, CHAT, FILLS, frameOf, noteEnvelope } from '../library.fixture.ts';
import { listening, type Note, numberOf, positionOf } from './channel-reader.fixture.ts';

describe('messages without a position', () => {
  it('are delivered on a numbered channel and do not change its position', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(50)));
    await bench.notes(FILLS, 2);
    expect(heard).toEqual(['1', '50', '2']);
    expect(bench.gaps).toEqual([]);
    expect(bench.subscriber.status(FILLS)?.position?.seq).toBe(2);
  });

  it('make up a plain channel: live at once, no gaps, no reads', async () => {
    const { bench, heard } = await listening(CHAT);
    await bench.notes(CHAT, 1, 2);
    await bench.clock.advance(3_000);
    expect(heard).toEqual(['1', '2']);
    expect(bench.link.reads).toEqual([]);
    expect(bench.statuses).toContainEqual({ type: 'live', channel: 'CHAT', numbered: false });
    expect(bench.subscriber.status(CHAT)).toMatchObject({ mode: 'live', position: undefined });
  });

  it('held during a recovery are delivered after it', async () => {
    const bench = new Bench();
    const heard: string[] = [];
    bench.subscriber.subscribe(FILLS, (message) => heard.push(numberOf(message)));
    await bench.subscriber.startListening();
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(50)));
    await eventLoopTurns();
    expect(heard).toEqual(['50']);
  });
});

describe('a message with a forged position', () => {
  /** Counts reads, and stops a reader that reads endlessly. */
  function countReads(bench: Bench) {
    const counted = { reads: 0 };
    const read = bench.link.read.bind(bench.link);
    bench.link.read = (...args) => {
      counted.reads++;
      return counted.reads > 20 ? Promise.reject({ code: 'TICKBUS_NOT_CONNECTED' }) : read(...args);
    };
    return counted;
  }

  // A plain client republishes a message from elsewhere with its position.
  it.each<[string, (epoch: number) => Position]>([
    ['far ahead', (epoch) => ({ epoch, seq: 1_000_000 })],
    ['of a later epoch', (epoch) => ({ epoch: epoch + 1_000_000, seq: 3 })],
  ])(
    '(%s) is reported as TICKBUS_INVALID_MESSAGE with few reads, and the next message is delivered',
    async (_, forge) => {
      const { bench, heard } = await listening(FILLS);
      await bench.notes(FILLS, 1);
      const { epoch } = positionOf(bench);
      const counted = countReads(bench);
      bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, forge(epoch))));
      await eventLoopTurns(50);
      expect(counted.reads).toBeLessThanOrEqual(3);
      expect(bench.invalid).toMatchObject([
        { channel: 'FILLS', error: { code: 'TICKBUS_INVALID_MESSAGE', field: 'seq' } },
      ]);
      await bench.notes(FILLS, 2);
      await eventLoopTurns();
      expect(heard).toEqual(['1', '2']);
      expect(bench.gaps).toEqual([]);
      expect(bench.subscriber.status(FILLS)?.mode).toBe('live');
    },
  );

  it('on an unused channel is reported with few reads', async () => {
    const { bench } = await listening(FILLS);
    const counted = countReads(bench);
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch: 5, seq: 7 })));
    await eventLoopTurns(50);
    expect(counted.reads).toBeLessThanOrEqual(3);
    expect(bench.invalid).toHaveLength(1);
  });
});

describe('a forged sequence number', () => {
  it('in place of the next one makes the real message invalid_message, not silently lost', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    const { epoch } = positionOf(bench);
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch, seq: 2 })));
    await bench.notes(FILLS, 2, 3);
    expect(heard).toEqual(['1', '99', '3']);
    expect(bench.invalid).toMatchObject([{ error: { field: 'seq' } }]);
  });

  it('is corrected by the head check', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    const { epoch } = positionOf(bench);
    bench.server.publishRaw('FILLS', frameOf(noteEnvelope(99, { epoch, seq: 2 })));
    await bench.clock.advance(1_000);
    await eventLoopTurns();
    await bench.notes(FILLS, 2);
    expect(heard).toEqual(['1', '99', '2']);
  });

  it('repeated a thousand times costs a few reads', async () => {
    const { bench, heard } = await listening(FILLS);
    await bench.notes(FILLS, 1);
    const { epoch } = positionOf(bench);
    let reads = 0;
    const read = bench.link.read.bind(bench.link);
    bench.link.read = (...args) => {
      reads++;
      return read(...args);
    };
    for (let n = 0; n < 1_000; n++)
      bench.server.publishRaw('FILLS', frameOf(noteEnvelope(n, { epoch, seq: 1_000 + n })));
    await eventLoopTurns(20);
    await bench.notes(FILLS, 2);
    await eventLoopTurns();
    expect(reads).toBeLessThan(10);
    expect(bench.invalid.length).toBe(1_000);
    expect(heard).toEqual(['1', '2']);
  });
});

describe('fields added for the handler', () => {
  it('are dropped from the wire', async () => {
    const bench = new Bench();
    const messages: Note[] = [];
    bench.subscriber.subscribe(FILLS, (message) => messages.push(message));
    await bench.subscriber.startListening();
    await eventLoopTurns();
    bench.server.publishRaw('FILLS', frameOf({ ...noteEnvelope(1), snapshot: true, conflated: 'many' }));
    expect(messages).toHaveLength(1);
    expect(messages[0]?.snapshot).toBeUndefined();
    expect(messages[0]?.conflated).toBeUndefined();
    expect(bench.subscriber.status(FILLS)?.conflated).toBe(0);
  });
});

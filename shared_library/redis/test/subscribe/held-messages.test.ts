// HeldMessages: bounded by number, and by the bytes of large messages.

import { expect, it } from 'vitest';
import { HeldMessages } from '../../subscribe/held-messages.ts';
import { recordSize } from '../../wire/message-size.ts';
import { noteEnvelope } from '../channels.fixture.ts';

function pushWhileRoom(bytes: number): HeldMessages {
  const held = new HeldMessages();
  for (let n = 0; n < 200_000; n++) {
    const message = noteEnvelope(n);
    recordSize(message, bytes);
    if (!held.hasRoomFor(message)) break;
    held.add(message);
  }
  return held;
}

it.each([
  [300, 100_000],
  [2_048, 100_000],
  [256 * 1024, 128],
])('of %i bytes: at most %i messages', (bytes, count) => {
  expect(pushWhileRoom(bytes).all).toHaveLength(count);
});

it('has room for small messages beside the large ones, and for large ones once all were taken', () => {
  const held = pushWhileRoom(256 * 1024);
  const message = noteEnvelope(1);
  recordSize(message, 256 * 1024);
  expect(held.hasRoomFor(message)).toBe(false);
  expect(held.hasRoomFor(noteEnvelope(2))).toBe(true);
  held.takeAll();
  expect(held.hasRoomFor(message)).toBe(true);
});

it('keeps the messages without a number when the numbered ones are dropped', () => {
  const held = new HeldMessages();
  const [numbered, plain] = [noteEnvelope(1, { epoch: 7, seq: 5 }), noteEnvelope(2)];
  held.add(numbered);
  held.add(plain);
  held.dropNumbered({ epoch: 7, seq: 3 });
  expect(held.all).toEqual([plain]);
  expect([held.hasNumbered, held.hasDroppedRivals]).toEqual([false, false]);
});

// For the frame decoder tests: ticks, a decoder that has learned their JSON layout, and the texts left to JSON.parse.

import { expect, vi } from 'vitest';
import type { Envelope } from '../../wire/envelope.ts';
import { FrameDecoder } from '../../wire/frame-decoder.ts';
import { frameOf } from '../channels.fixture.ts';

export const tick = (seq: number, data: object = {}, fields: object = {}): Envelope => ({
  seq,
  epoch: 1_780_000_000_000,
  at: 1_780_000_000_000 + seq,
  message_type: 'price',
  data: { symbol: `S${seq % 7}`, price: 100 + seq / 100, venue: 'iex', ...data },
  timestamp: 1_780_000_000_000.5 - seq,
  sender: 'gateway',
  ...fields,
});

/** The texts passed to JSON.parse during `read`. */
export function parsedBy(read: () => unknown): readonly string[] {
  const parse = vi.spyOn(JSON, 'parse');
  try {
    read();
    return parse.mock.calls.map(([text]) => text);
  } finally {
    parse.mockRestore();
  }
}

/** A decoder that has learned the JSON layout of ticks and does not need JSON.parse for them. */
export function experienced(): FrameDecoder {
  const reader = new FrameDecoder();
  for (let seq = 1; seq < 100; seq++) reader.read(frameOf(tick(seq)));
  expect(parsedBy(() => reader.read(frameOf(tick(100))))).toEqual([]);
  return reader;
}

// FrameDecoder.readBatch: the same result as JSON.parse, and the byte range of each message.

import { describe, expect, it } from 'vitest';
import { MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
import type { TickbusError } from '../../errors.ts';
import { FrameDecoder } from '../../wire/frame-decoder.ts';
import { frameOf } from '../channels.fixture.ts';
import { experienced, parsedBy, tick } from './frame-decoder.fixture.ts';

const utf8 = new TextEncoder();

describe('a batch', () => {
  const read = (reader: FrameDecoder, frame: Uint8Array) => {
    const batch = reader.readBatch(frame);
    return batch?.documents.map((document) => batch.check(document));
  };
  /** The text of each document, cut out at the byte ranges that the batch reports. */
  const placesIn = (frame: Uint8Array, ends: readonly number[] | undefined) =>
    ends?.map((end, index) => new TextDecoder().decode(frame.subarray((ends[index - 1] ?? 0) + 1, end)));
  const batchOf = (...seqs: number[]) => seqs.map((seq) => tick(seq));

  it('returns undefined for a single message or an empty frame', () => {
    expect(new FrameDecoder().readBatch(frameOf(tick(1)))).toBeUndefined();
    expect(new FrameDecoder().readBatch(new Uint8Array(0))).toBeUndefined();
  });

  it('returns the same documents before and after it learned their shapes', () => {
    const reader = new FrameDecoder();
    for (let first = 1; first < 100; first += 3) {
      const messages = batchOf(first, first + 1, first + 2);
      expect(read(reader, frameOf(messages))).toStrictEqual(messages);
    }
    const mixed = [...batchOf(101, 102), tick(103, { size: 5 }), tick(104, { price: [1] }), tick(105)];
    for (let round = 0; round < 3; round++) expect(read(reader, frameOf(mixed))).toStrictEqual(mixed);
  });

  it('parses only unknown shapes, and reports the byte range of each message', () => {
    const strange = [
      tick(102, { note: 'a "brace" } in {it\\' }),
      tick(103, { bids: [[1, 2], [{ '}': ']' }]] }),
      tick(104, { symbol: 'é🙂' }),
    ];
    const messages = [tick(101), ...strange, tick(105)];
    const frame = frameOf(messages);
    const reader = experienced();
    const parsed = parsedBy(() => {
      const batch = reader.readBatch(frame);
      expect(batch?.documents).toStrictEqual(messages);
      expect(placesIn(frame, batch?.ends)).toEqual(messages.map((message) => JSON.stringify(message)));
    });
    expect(parsed).toEqual(strange.map((message) => JSON.stringify(message)));
  });

  it('learns each new shape in a batch', () => {
    const reader = new FrameDecoder();
    const kinds = [{}, { size: 1 }, { bid: 1, ask: 2 }];
    const messages = kinds.map((kind, seq) => tick(seq, kind));
    read(reader, frameOf(messages));
    expect(parsedBy(() => expect(read(reader, frameOf(messages))).toStrictEqual(messages))).toEqual([]);
  });

  it('accepts whitespace, without byte ranges', () => {
    const messages = batchOf(101, 102);
    for (const reader of [new FrameDecoder(), experienced()]) {
      const batch = reader.readBatch(utf8.encode(JSON.stringify(messages, null, 1)));
      expect(batch?.documents).toStrictEqual(messages);
      expect(batch?.ends).toBeUndefined();
    }
  });

  it.each<[string, (text: string) => string, string]>([
    ['an invalid message', (text) => text.replace('102', '1o2'), 'not valid JSON'],
    ['an unterminated message', (text) => text.replace('"}]', '"]'), 'not valid JSON'],
    ['an unterminated string', (text) => text.replace('"}]', '}]'), 'not valid JSON'],
    ['an empty element', (text) => text.replace('},{', '},,{'), 'not valid JSON'],
    ['a number between messages', (text) => text.replace('},{', '},7,{'), 'not all objects'],
    ['an array between messages', (text) => text.replace('},{', '},[{}],{'), 'not all objects'],
    ['no messages', () => '[]', 'is an empty array'],
  ])('rejects the whole batch with %s', (_, change, why) => {
    const text = JSON.stringify([tick(101), tick(102, { list: [1] }), tick(103, { list: [1] })]);
    const changed = change(text);
    expect(changed).not.toBe(text);
    for (const reader of [new FrameDecoder(), experienced()])
      expect(() => reader.readBatch(utf8.encode(changed))).toThrow(why);
  });

  it('rejects the whole batch if one message has invalid UTF-8', () => {
    const frame = frameOf([tick(101), tick(102, { list: [1] })]);
    frame[frame.lastIndexOf(0x53)] = 0xff;
    for (const reader of [new FrameDecoder(), experienced()])
      expect(() => reader.readBatch(frame)).toThrow('UTF-8');
  });

  it.each(['', ' ', ']]', '],', ',', ',]', ',{}', 'x'])('rejects a batch that ends with "%s"', (end) => {
    const text = JSON.stringify(batchOf(101, 102)).slice(0, -1) + end;
    expect(() => read(experienced(), utf8.encode(text))).toThrow();
  });

  it('applies the size limits before and after it learned the shapes', () => {
    const large = tick(101, { symbol: 'x'.repeat(MAX_MESSAGE_BYTES) });
    expect(() => read(experienced(), frameOf([large]))).toThrow('exceeds the limit of 262144 bytes');
    const many = Array.from({ length: 8_000 }, (_, seq) => tick(seq));
    expect(() => read(experienced(), frameOf(many))).toThrow('the limit is 1048576');
  });

  it('parses many unknown messages at once, and rejects only the one above the size limit', () => {
    const strange = Array.from({ length: 12 }, (_, seq) => tick(seq, { list: [seq] }));
    const large = tick(12, { list: ['x'.repeat(MAX_MESSAGE_BYTES)] });
    const messages = [...strange, large, tick(13, { list: [13] })];
    const frame = frameOf(messages);
    const batch = new FrameDecoder().readBatch(frame);
    expect(parsedBy(() => new FrameDecoder().readBatch(frame))).toContain(JSON.stringify(messages));
    expect(placesIn(frame, batch?.ends)).toEqual(messages.map((message) => JSON.stringify(message)));
    const outcomes = batch?.documents.map((document) => {
      try {
        return batch.check(document).seq;
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(outcomes).toEqual([
      ...strange.map(({ seq }) => seq),
      expect.stringContaining('exceeds the limit of 262144 bytes'),
      13,
    ]);
  });

  it('rejects only the invalid message and names its field', () => {
    const batch = experienced().readBatch(frameOf([tick(101), tick(102, {}, { seq: 1.5 }), tick(103)]));
    const outcomes = batch?.documents.map((document) => {
      try {
        return batch.check(document).seq;
      } catch (error) {
        return (error as TickbusError).field;
      }
    });
    expect(outcomes).toEqual([101, 'seq', 103]);
  });
});

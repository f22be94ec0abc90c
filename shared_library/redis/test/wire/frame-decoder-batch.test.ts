// FrameDecoder.readBatch: the same result as JSON.parse, and the byte range of each message.

import { describe, expect, it } from 'vitest';
import { MAX_FRAME_MESSAGES, MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
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
    (ends ?? []).map((end, index) =>
      new TextDecoder().decode(frame.subarray((ends?.[index - 1] ?? 0) + 1, end)),
    );
  /** Each message, or the text of its error. */
  const outcomesOf = (reader: FrameDecoder, frame: Uint8Array) => {
    const batch = reader.readBatch(frame);
    return batch?.documents.map((document) => {
      try {
        return batch.check(document);
      } catch (error) {
        return (error as Error).message;
      }
    });
  };
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

  it('accepts whitespace, which belongs to the byte range of a message', () => {
    const messages = batchOf(101, 102);
    for (const reader of [new FrameDecoder(), experienced()]) {
      const frame = utf8.encode(JSON.stringify(messages, null, 1));
      const batch = reader.readBatch(frame);
      expect(batch?.documents).toStrictEqual(messages);
      expect(placesIn(frame, batch?.ends).map((text) => JSON.parse(text))).toStrictEqual(messages);
    }
  });

  it.each<[string, (text: string) => string, string]>([
    ['an unterminated message', (text) => text.replace('"}]', '"]'), 'is not closed'],
    ['an unterminated string', (text) => text.replace('"}]', '}]'), 'is not closed'],
    ['no messages', () => '[]', 'is an empty array'],
    ['only whitespace', () => '[ \n]', 'is an empty array'],
  ])('rejects the whole batch with %s', (_, change, why) => {
    const text = JSON.stringify([tick(101), tick(102, { list: [1] }), tick(103, { list: [1] })]);
    const changed = change(text);
    expect(changed).not.toBe(text);
    for (const reader of [new FrameDecoder(), experienced()])
      expect(() => reader.readBatch(utf8.encode(changed))).toThrow(why);
  });

  it.each<[string, (text: string) => string, string]>([
    ['an invalid message', (text) => text.replace('"seq":102', '"seq":1o2'), 'not valid JSON'],
    ['NaN', (text) => text.replace('"seq":102', '"seq":NaN'), 'not valid JSON'],
    ['a control character in a string', (text) => text.replace('S4', 'S\n'), 'not valid JSON'],
    ['an empty element', (text) => text.replace(/\{"seq":102.*?\]\}[^}]*\}/, ''), 'is empty'],
    ['a number', (text) => text.replace(/\{"seq":102.*?\]\}[^}]*\}/, '7'), 'not an object'],
    ['an array', (text) => text.replace(/\{"seq":102.*?\]\}[^}]*\}/, '[{}]'), 'not an object'],
    [
      'a depth of 60',
      (text) => text.replace('[1]', '['.repeat(60) + ']'.repeat(60)),
      'deeper than 32 levels',
    ],
    [
      'a depth of 100,000',
      (text) => text.replace('[1]', '['.repeat(100_000) + ']'.repeat(100_000)),
      'deeper than 32 levels',
    ],
    ['a number that overflows', (text) => text.replace('[1]', '1e999'), 'only finite numbers'],
    ['a forbidden key', (text) => text.replace('"list"', '"__proto__"'), 'name that is not allowed'],
    ['a long sender', (text) => text.replace('gateway', 's'.repeat(129)), 'the limit is 128'],
    ['300 KiB', (text) => text.replace('[1]', `"${'x'.repeat(300 * 1024)}"`), 'exceeds the limit of 262144'],
  ])('rejects only %s', (_, change, why) => {
    const [before, middle, after] = [tick(101), tick(102, { list: [1] }), tick(103, { list: [2] })];
    const changed = change(JSON.stringify(middle));
    const frame = utf8.encode(`[${JSON.stringify(before)},${changed},${JSON.stringify(after)}]`);
    for (const reader of [new FrameDecoder(), experienced()])
      expect(outcomesOf(reader, frame)).toStrictEqual([before, expect.stringContaining(why), after]);
  });

  it('rejects only the message with invalid UTF-8', () => {
    const [first, second] = [tick(101), tick(102, { list: [1] })];
    const frame = frameOf([first, second]);
    frame[frame.lastIndexOf(0x53)] = 0xff;
    for (const reader of [new FrameDecoder(), experienced()])
      expect(outcomesOf(reader, frame)).toStrictEqual([first, expect.stringContaining('UTF-8')]);
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
    expect(() => read(experienced(), frameOf(many.slice(0, 5_000)))).toThrow(
      'UTF-16 units; the limit is 327680',
    );
    for (const reader of [new FrameDecoder(), experienced()]) {
      expect(read(reader, frameOf(many.slice(0, MAX_FRAME_MESSAGES)))).toHaveLength(MAX_FRAME_MESSAGES);
      expect(() => read(reader, frameOf(many.slice(0, MAX_FRAME_MESSAGES + 1)))).toThrow(
        'more than 512 messages',
      );
    }
  });

  it('accepts the largest batch of a publisher, also in a script of three bytes a character', () => {
    const messages = Array.from({ length: 256 }, (_, seq) => tick(seq, { text: '價'.repeat(850) }));
    expect(JSON.stringify(messages).length).toBeGreaterThan(256 * 1024);
    expect(read(new FrameDecoder(), frameOf(messages))).toStrictEqual(messages);
  });

  it('parses many unknown messages at once, unless one is above the size limit', () => {
    const messages = Array.from({ length: 12 }, (_, seq) => tick(seq, { list: [seq] }));
    const frame = frameOf(messages);
    expect(parsedBy(() => new FrameDecoder().readBatch(frame))).toContain(JSON.stringify(messages));
    expect(placesIn(frame, new FrameDecoder().readBatch(frame)?.ends)).toEqual(
      messages.map((message) => JSON.stringify(message)),
    );
    const large = tick(12, { list: ['x'.repeat(MAX_MESSAGE_BYTES)] });
    expect(outcomesOf(new FrameDecoder(), frameOf([...messages, large, tick(13)]))).toStrictEqual([
      ...messages,
      expect.stringContaining('exceeds the limit of 262144 bytes'),
      tick(13),
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

// What reads messages that are alike fast: the same result as without it, and each message a new one.

import { describe, expect, it, vi } from 'vitest';
import { decodeEnvelope, type Envelope } from '../../core/envelope.ts';
import { EnvelopeReader } from '../../core/envelope-reader.ts';
import { FamiliarDocuments } from '../../core/familiar-documents.ts';
import { MAX_MESSAGE_BYTES } from '../../core/limits.ts';
import type { TickbusError } from '../../errors.ts';
import { frameOf } from '../helpers.ts';

const utf8 = new TextEncoder();

const tick = (seq: number, data: object = {}, fields: object = {}): Envelope => ({
  seq,
  epoch: 1_780_000_000_000,
  at: 1_780_000_000_000 + seq,
  message_type: 'price',
  data: { symbol: `S${seq % 7}`, price: 100 + seq / 100, venue: 'iex', ...data },
  timestamp: 1_780_000_000_000.5 - seq,
  sender: 'gateway',
  ...fields,
});

/** The texts that JSON.parse is given meanwhile. */
function parsedBy(read: () => unknown): readonly string[] {
  const parse = vi.spyOn(JSON, 'parse');
  try {
    read();
    return parse.mock.calls.map(([text]) => text);
  } finally {
    parse.mockRestore();
  }
}

/** A reader to which ticks are familiar: it does not need JSON.parse for them. */
function experienced(): EnvelopeReader {
  const reader = new EnvelopeReader();
  for (let seq = 1; seq < 100; seq++) reader.read(frameOf(tick(seq)));
  expect(parsedBy(() => reader.read(frameOf(tick(100))))).toEqual([]);
  return reader;
}

const isRefused = (reader: EnvelopeReader, text: string) =>
  expect(() => reader.read(utf8.encode(text))).toThrow(
    expect.objectContaining({ code: 'TICKBUS_INVALID_MESSAGE' }) as TickbusError,
  );

describe('a message like the ones before it', () => {
  it.each<[string, Envelope]>([
    ['other numbers', tick(101)],
    ['a negative price', tick(101, { price: -0.25 })],
    ['a whole one', tick(101, { price: 7 })],
    ['one of many digits', tick(101, { price: 0.1 + 0.2 })],
    ['an exponent', tick(101, { price: 1e-9 })],
    ['a large one', tick(101, { price: 1e21 })],
    ['another venue', tick(101, { venue: 'sip' })],
    ['a string with a quote in it', tick(101, { symbol: 'A"B\\' })],
    ['one that is not ASCII', tick(101, { symbol: 'München 🙂' })],
    ['an empty one', tick(101, { symbol: '' })],
    ['one as long as it may be', tick(101, { symbol: 'x'.repeat(64) })],
    ['a longer one', tick(101, { symbol: 'x'.repeat(65) })],
    ['a name that every object has', tick(101, { toString: 1 })],
    ['another sender', tick(101, {}, { sender: '' })],
    ['another epoch', tick(101, {}, { epoch: 1_780_000_000_001 })],
    ['a field more', tick(101, { size: 1 })],
    ['null for a value', tick(101, { price: null })],
    ['an object for a value', tick(101, { price: { bid: 1 } })],
    ['a list in it', tick(101, { price: [1, 2] })],
  ])('is read as ever: %s', (_, message) => {
    const reader = experienced();
    const frame = frameOf(message);
    expect(reader.read(frame)).toStrictEqual(decodeEnvelope(frame));
    expect(reader.read(frameOf(tick(102)))).toStrictEqual(tick(102));
  });

  it('keeps the sign of a zero', () => {
    const read = experienced().read(utf8.encode(JSON.stringify(tick(101)).replace('101.01', '-0')));
    expect(Object.is(read.data.price, -0)).toBe(true);
  });

  it.each([
    ['a number with a leading zero', '101.01', '0101.01'],
    ['one without its fraction', '101.01', '101.'],
    ['one without its whole part', '101.01', '.01'],
    ['a bare minus', '101.01', '-'],
    ['two points', '101.01', '1.0.1'],
    ['a control character', '"S3"', '"S\u0001"'],
    ['an open string', '"S3"', '"S3'],
    ['a number beyond all', '101.01', `1${'0'.repeat(310)}`],
    ['a negative one', '101.01', `-1${'0'.repeat(310)}`],
    ['a fraction of a sequence number', '"seq":101', '"seq":101.5'],
    ['a negative one', '"seq":101', '"seq":-1'],
    ['a message type that is empty', '"price",', '"",'],
    ['something after its end', '"gateway"}', '"gateway"} '.concat('x')],
    ['no end', '"gateway"}', '"gateway"'],
  ])('is refused as ever: %s', (_, there, put) => {
    const text = JSON.stringify(tick(101));
    expect(text).toContain(there);
    const reader = experienced();
    isRefused(reader, text.replace(there, put));
    expect(reader.read(frameOf(tick(102)))).toStrictEqual(tick(102));
  });

  it('may end with a line break', () => {
    const reader = experienced();
    const frame = utf8.encode(`${JSON.stringify(tick(101))}\r\n`);
    expect(parsedBy(() => expect(reader.read(frame)).toStrictEqual(tick(101)))).toEqual([]);
  });

  it('is refused when its UTF-8 is broken', () => {
    const frame = frameOf(tick(101));
    frame[frame.indexOf(0x53)] = 0xff;
    expect(() => experienced().read(frame)).toThrow('UTF-8');
  });

  it('is refused when it is too large', () => {
    const pad = 'x'.repeat(MAX_MESSAGE_BYTES);
    expect(() => experienced().read(frameOf(tick(101, { symbol: pad })))).toThrow('the limit is 262144');
  });

  it('is an object of its own, whatever was done to the one before', () => {
    const reader = experienced();
    const { data } = reader.read(frameOf(tick(101)));
    Object.assign(data, { price: 0, extra: 1 });
    expect(reader.read(frameOf(tick(102)))).toStrictEqual(tick(102));
  });

  it('does not depend on where in a buffer it stands', () => {
    const reader = experienced();
    const [one, other] = [frameOf(tick(101)), frameOf(tick(102))];
    const chunk = new Uint8Array(3 + one.length + other.length);
    chunk.set(one, 3);
    chunk.set(other, 3 + one.length);
    expect(reader.read(chunk.subarray(3, 3 + one.length))).toStrictEqual(tick(101));
    const last = chunk.subarray(3 + one.length);
    expect(parsedBy(() => expect(reader.read(last)).toStrictEqual(tick(102)))).toEqual([]);
  });
});

it('never reads past the end of a message, whatever stands behind it', () => {
  const whole = frameOf(tick(101));
  for (let length = 1; length < whole.length; length++)
    expect(() => experienced().read(whole.subarray(0, length))).toThrow('not valid JSON');
});

describe('messages of several kinds', () => {
  it('are all familiar after a while, and stay so when what never changed changes', () => {
    const reader = new EnvelopeReader();
    const kinds = [{}, { size: 1 }, { bid: 1, ask: 2 }];
    let unfamiliar = 0;
    for (let seq = 1; seq <= 3_000; seq++) {
      const message = tick(seq, kinds[seq % 3], { sender: seq < 1_500 ? 'gateway' : 'standby' });
      const parsed = parsedBy(() => expect(reader.read(frameOf(message))).toStrictEqual(message));
      if (parsed.includes(JSON.stringify(message))) unfamiliar++;
    }
    expect(unfamiliar).toBe(3);
  });

  it('are not learned again because of what is in one of them', () => {
    const reader = experienced();
    const odd = tick(101, { symbol: 'é' });
    for (let seq = 1; seq <= 1_000; seq++) {
      const message = seq % 2 === 0 ? odd : tick(seq, seq % 4 === 1 ? {} : { size: 1 });
      expect(reader.read(frameOf(message))).toStrictEqual(message);
    }
    const last = tick(1_001, { size: 2 });
    expect(parsedBy(() => expect(reader.read(frameOf(last))).toStrictEqual(last))).toEqual([]);
  });

  it('with a long text in them are left to JSON.parse', () => {
    const reader = new EnvelopeReader();
    const text = 'x'.repeat(5_000);
    for (let seq = 1; seq <= 100; seq++) {
      const message = tick(seq, { text });
      const parsed = parsedBy(() => expect(reader.read(frameOf(message))).toStrictEqual(message));
      expect(parsed).toEqual([JSON.stringify(message)]);
    }
  });

  it('that are never alike are hardly looked at', () => {
    const documents = new FamiliarDocuments();
    let looks = 0;
    for (let n = 1; n <= 1_000; n++) {
      expect(documents.read(frameOf({ [`field ${n}`]: n }), 0)).toBeUndefined();
      const document = { [`field ${n}`]: n };
      Object.defineProperty(document, 'looked', { enumerable: true, get: () => ++looks });
      documents.learn(document);
    }
    // A document that is learned is looked at twice: it is taken apart, and its text is kept.
    expect(looks).toBe(2 * 4);
  });
});

describe('a batch', () => {
  const read = (reader: EnvelopeReader, frame: Uint8Array) => {
    const batch = reader.readBatch(frame);
    return batch?.documents.map((document) => batch.check(document));
  };
  /** What stands in a frame where a batch says that its documents are. */
  const placesIn = (frame: Uint8Array, ends: readonly number[] | undefined) =>
    ends?.map((end, index) => new TextDecoder().decode(frame.subarray((ends[index - 1] ?? 0) + 1, end)));
  const batchOf = (...seqs: number[]) => seqs.map((seq) => tick(seq));

  it('is none when it is one message, or nothing', () => {
    expect(new EnvelopeReader().readBatch(frameOf(tick(1)))).toBeUndefined();
    expect(new EnvelopeReader().readBatch(new Uint8Array(0))).toBeUndefined();
  });

  it('is read as ever, familiar or not', () => {
    const reader = new EnvelopeReader();
    for (let first = 1; first < 100; first += 3) {
      const messages = batchOf(first, first + 1, first + 2);
      expect(read(reader, frameOf(messages))).toStrictEqual(messages);
    }
    const mixed = [...batchOf(101, 102), tick(103, { size: 5 }), tick(104, { price: [1] }), tick(105)];
    for (let round = 0; round < 3; round++) expect(read(reader, frameOf(mixed))).toStrictEqual(mixed);
  });

  it('parses only what is not familiar, and knows where each message stands', () => {
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

  it('learns each kind that is new in it', () => {
    const reader = new EnvelopeReader();
    const kinds = [{}, { size: 1 }, { bid: 1, ask: 2 }];
    const messages = kinds.map((kind, seq) => tick(seq, kind));
    read(reader, frameOf(messages));
    expect(parsedBy(() => expect(read(reader, frameOf(messages))).toStrictEqual(messages))).toEqual([]);
  });

  it('may be written with blanks, and then does not know where its messages stand', () => {
    const messages = batchOf(101, 102);
    for (const reader of [new EnvelopeReader(), experienced()]) {
      const batch = reader.readBatch(utf8.encode(JSON.stringify(messages, null, 1)));
      expect(batch?.documents).toStrictEqual(messages);
      expect(batch?.ends).toBeUndefined();
    }
  });

  it.each<[string, (text: string) => string, string]>([
    ['a message that is no JSON', (text) => text.replace('102', '1o2'), 'not valid JSON'],
    ['one that does not end', (text) => text.replace('"}]', '"]'), 'not valid JSON'],
    ['a string that does not end', (text) => text.replace('"}]', '}]'), 'not valid JSON'],
    ['nothing between two commas', (text) => text.replace('},{', '},,{'), 'not valid JSON'],
    ['a number between its messages', (text) => text.replace('},{', '},7,{'), 'not one of objects'],
    ['a list between its messages', (text) => text.replace('},{', '},[{}],{'), 'not one of objects'],
    ['nothing in it', () => '[]', 'is an empty array'],
  ])('is refused as a whole with %s', (_, change, why) => {
    const text = JSON.stringify([tick(101), tick(102, { list: [1] }), tick(103, { list: [1] })]);
    const changed = change(text);
    expect(changed).not.toBe(text);
    for (const reader of [new EnvelopeReader(), experienced()])
      expect(() => reader.readBatch(utf8.encode(changed))).toThrow(why);
  });

  it('is refused as a whole when the UTF-8 of one message is broken', () => {
    const frame = frameOf([tick(101), tick(102, { list: [1] })]);
    frame[frame.lastIndexOf(0x53)] = 0xff;
    for (const reader of [new EnvelopeReader(), experienced()])
      expect(() => reader.readBatch(frame)).toThrow('UTF-8');
  });

  it.each(['', ' ', ']]', '],', ',', ',]', ',{}', 'x'])('is none when it ends with "%s"', (end) => {
    const text = JSON.stringify(batchOf(101, 102)).slice(0, -1) + end;
    expect(() => read(experienced(), utf8.encode(text))).toThrow();
  });

  it('has limits, familiar or not', () => {
    const large = tick(101, { symbol: 'x'.repeat(MAX_MESSAGE_BYTES) });
    expect(() => read(experienced(), frameOf([large]))).toThrow('larger than a message may be');
    const many = Array.from({ length: 8_000 }, (_, seq) => tick(seq));
    expect(() => read(experienced(), frameOf(many))).toThrow('the limit is 1048576');
  });

  it('takes many strangers apart at once, and one that is too large among them is refused alone', () => {
    const strange = Array.from({ length: 12 }, (_, seq) => tick(seq, { list: [seq] }));
    const large = tick(12, { list: ['x'.repeat(MAX_MESSAGE_BYTES)] });
    const messages = [...strange, large, tick(13, { list: [13] })];
    const frame = frameOf(messages);
    const batch = new EnvelopeReader().readBatch(frame);
    expect(parsedBy(() => new EnvelopeReader().readBatch(frame))).toContain(JSON.stringify(messages));
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
      expect.stringContaining('larger than a message may be'),
      13,
    ]);
  });

  it('names a bad one among good ones', () => {
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

// FrameDecoder.read: messages of a learned JSON layout give the same result as JSON.parse, each a new object.

import { describe, expect, it } from 'vitest';
import { MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
import type { TickbusError } from '../../errors.ts';
import { DocumentTemplate } from '../../wire/document-template.ts';
import { decodeEnvelope, type Envelope } from '../../wire/envelope.ts';
import { FrameDecoder } from '../../wire/frame-decoder.ts';
import { TemplateDecoder } from '../../wire/template-decoder.ts';
import { frameOf } from '../channels.fixture.ts';
import { experienced, parsedBy, tick } from './frame-decoder.fixture.ts';

const utf8 = new TextEncoder();

const isRefused = (reader: FrameDecoder, text: string) =>
  expect(() => reader.read(utf8.encode(text))).toThrow(
    expect.objectContaining({ code: 'TICKBUS_INVALID_MESSAGE' }) as TickbusError,
  );

describe('a message of a learned shape', () => {
  it.each<[string, Envelope]>([
    ['other numbers', tick(101)],
    ['a negative price', tick(101, { price: -0.25 })],
    ['a whole price', tick(101, { price: 7 })],
    ['a price with many digits', tick(101, { price: 0.1 + 0.2 })],
    ['an exponent', tick(101, { price: 1e-9 })],
    ['a large price', tick(101, { price: 1e21 })],
    ['another venue', tick(101, { venue: 'sip' })],
    ['a string with a quote in it', tick(101, { symbol: 'A"B\\' })],
    ['a symbol that is not ASCII', tick(101, { symbol: 'München 🙂' })],
    ['an empty symbol', tick(101, { symbol: '' })],
    ['a symbol at the length limit', tick(101, { symbol: 'x'.repeat(64) })],
    ['a symbol above the length limit', tick(101, { symbol: 'x'.repeat(65) })],
    ['a field named like an inherited member', tick(101, { toString: 1 })],
    ['another sender', tick(101, {}, { sender: '' })],
    ['another epoch', tick(101, {}, { epoch: 1_780_000_000_001 })],
    ['an additional field', tick(101, { size: 1 })],
    ['null as a value', tick(101, { price: null })],
    ['an object as a value', tick(101, { price: { bid: 1 } })],
    ['an array as a value', tick(101, { price: [1, 2] })],
  ])('gives the same result as decodeEnvelope: %s', (_, message) => {
    const reader = experienced();
    const frame = frameOf(message);
    expect(reader.read(frame)).toStrictEqual(decodeEnvelope(frame));
    expect(reader.read(frameOf(tick(102)))).toStrictEqual(tick(102));
  });

  it('keeps the sign of zero', () => {
    const read = experienced().read(utf8.encode(JSON.stringify(tick(101)).replace('101.01', '-0')));
    expect(Object.is(read.data.price, -0)).toBe(true);
  });

  it.each([
    ['a number with a leading zero', '101.01', '0101.01'],
    ['a number without its fraction', '101.01', '101.'],
    ['a number without its integer part', '101.01', '.01'],
    ['a bare minus', '101.01', '-'],
    ['two decimal points', '101.01', '1.0.1'],
    ['a control character', '"S3"', '"S\u0001"'],
    ['an unterminated string', '"S3"', '"S3'],
    ['a number above the range', '101.01', `1${'0'.repeat(310)}`],
    ['a number below the range', '101.01', `-1${'0'.repeat(310)}`],
    ['a fractional sequence number', '"seq":101', '"seq":101.5'],
    ['a negative sequence number', '"seq":101', '"seq":-1'],
    ['an empty message type', '"price",', '"",'],
    ['trailing text', '"gateway"}', '"gateway"} '.concat('x')],
    ['a missing end', '"gateway"}', '"gateway"'],
  ])('is rejected with TICKBUS_INVALID_MESSAGE: %s', (_, there, put) => {
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

  it('is rejected if its UTF-8 is invalid', () => {
    const frame = frameOf(tick(101));
    frame[frame.indexOf(0x53)] = 0xff;
    expect(() => experienced().read(frame)).toThrow('UTF-8');
  });

  it('is rejected above the size limit', () => {
    const pad = 'x'.repeat(MAX_MESSAGE_BYTES);
    expect(() => experienced().read(frameOf(tick(101, { symbol: pad })))).toThrow('the limit is 262144');
  });

  it('is a new object, whatever the handler did to the previous one', () => {
    const reader = experienced();
    const { data } = reader.read(frameOf(tick(101)));
    Object.assign(data, { price: 0, extra: 1 });
    expect(reader.read(frameOf(tick(102)))).toStrictEqual(tick(102));
  });

  it('does not depend on its offset in a buffer', () => {
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

it('read never reads past the end of a message', () => {
  const whole = frameOf(tick(101));
  for (let length = 1; length < whole.length; length++)
    expect(() => experienced().read(whole.subarray(0, length))).toThrow('not valid JSON');
});

describe('messages of several shapes', () => {
  it('are all learned, and stay so when a constant field changes', () => {
    const reader = new FrameDecoder();
    const kinds = [{}, { size: 1 }, { bid: 1, ask: 2 }];
    let unfamiliar = 0;
    for (let seq = 1; seq <= 3_000; seq++) {
      const message = tick(seq, kinds[seq % 3], { sender: seq < 1_500 ? 'gateway' : 'standby' });
      const parsed = parsedBy(() => expect(reader.read(frameOf(message))).toStrictEqual(message));
      if (parsed.includes(JSON.stringify(message))) unfamiliar++;
    }
    expect(unfamiliar).toBe(3);
  });

  it('are not learned again because of the content of one message', () => {
    const reader = experienced();
    const odd = tick(101, { symbol: 'é' });
    for (let seq = 1; seq <= 1_000; seq++) {
      const message = seq % 2 === 0 ? odd : tick(seq, seq % 4 === 1 ? {} : { size: 1 });
      expect(reader.read(frameOf(message))).toStrictEqual(message);
    }
    const last = tick(1_001, { size: 2 });
    expect(parsedBy(() => expect(reader.read(frameOf(last))).toStrictEqual(last))).toEqual([]);
  });

  it('with a long text are left to JSON.parse', () => {
    const reader = new FrameDecoder();
    const text = 'x'.repeat(5_000);
    for (let seq = 1; seq <= 100; seq++) {
      const message = tick(seq, { text });
      const parsed = parsedBy(() => expect(reader.read(frameOf(message))).toStrictEqual(message));
      expect(parsed).toEqual([JSON.stringify(message)]);
    }
  });

  it('that never repeat are hardly inspected', () => {
    const documents = new TemplateDecoder();
    let looks = 0;
    for (let n = 1; n <= 1_000; n++) {
      expect(documents.read(frameOf({ [`field ${n}`]: n }), 0)).toBeUndefined();
      const document = { [`field ${n}`]: n };
      Object.defineProperty(document, 'looked', { enumerable: true, get: () => ++looks });
      documents.learn(document);
    }
    // Learning reads each property of a document once. The initial learning budget suffices for four documents.
    expect(looks).toBe(4);
  });
});

describe('hostile documents', () => {
  it('with 24,000 members are inspected up to the limits of a template', () => {
    let looks = 0;
    const document: Record<string, unknown> = {};
    for (let n = 0; n < 24_000; n++)
      Object.defineProperty(document, `k${n}`, { enumerable: true, get: () => ++looks });
    expect(DocumentTemplate.of(document)).toBeUndefined();
    expect(looks).toBeLessThanOrEqual(65);
  });

  it.each([[129], [255_000]])('with a name of %i characters are rejected by templates as well', (length) => {
    const reader = experienced();
    const frame = frameOf(tick(101, {}, { sender: 's'.repeat(length) }));
    expect(() => reader.read(frame)).toThrow(`has ${length} characters; the limit is 128`);
  });

  it.each([
    ['objects', '{"a":'],
    ['arrays', '['],
  ])('of 100,000 levels of %s are rejected unparsed', (_, open) => {
    const close = open === '[' ? ']' : '}';
    const levels = Math.floor(100_000 / open.length);
    const text = `{"message_type":"price","data":{"x":${open.repeat(levels)}1${close.repeat(levels)}}}`;
    expect(
      parsedBy(() =>
        expect(() => new FrameDecoder().read(utf8.encode(text))).toThrow('deeper than 32 levels'),
      ),
    ).toEqual([]);
  });
});

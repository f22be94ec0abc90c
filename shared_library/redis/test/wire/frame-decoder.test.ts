// What reads messages that are alike fast: the same result as without it, and each message a new one.

import { describe, expect, it } from 'vitest';
import { MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
import type { TickbusError } from '../../errors.ts';
import { decodeEnvelope, type Envelope } from '../../wire/envelope.ts';
import { FrameDecoder } from '../../wire/frame-decoder.ts';
import { TemplateDecoder } from '../../wire/template-decoder.ts';
import { frameOf } from '../library.fixture.ts';
import { experienced, parsedBy, tick } from './frame-decoder.fixture.ts';

const utf8 = new TextEncoder();

const isRefused = (reader: FrameDecoder, text: string) =>
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
    const reader = new FrameDecoder();
    const text = 'x'.repeat(5_000);
    for (let seq = 1; seq <= 100; seq++) {
      const message = tick(seq, { text });
      const parsed = parsedBy(() => expect(reader.read(frameOf(message))).toStrictEqual(message));
      expect(parsed).toEqual([JSON.stringify(message)]);
    }
  });

  it('that are never alike are hardly looked at', () => {
    const documents = new TemplateDecoder();
    let looks = 0;
    for (let n = 1; n <= 1_000; n++) {
      expect(documents.read(frameOf({ [`field ${n}`]: n }), 0)).toBeUndefined();
      const document = { [`field ${n}`]: n };
      Object.defineProperty(document, 'looked', { enumerable: true, get: () => ++looks });
      documents.learn(document);
    }
    // The budget at the start is enough to learn four shapes.
    expect(looks).toBe(4);
  });
});

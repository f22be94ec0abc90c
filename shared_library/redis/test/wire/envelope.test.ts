// Envelopes on the wire: batches, round trips, size and depth limits, encoding and header fields.

import { describe, expect, it } from 'vitest';
import { MAX_DEPTH, MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
import { decodeEnvelope, type Envelope, encodeEnvelope } from '../../wire/envelope.ts';
import { errorWith, frameOf } from '../channels.fixture.ts';
import { decoding, encoding, envelope, invalidMessage, utf8 } from './envelope.fixture.ts';

/** Bytes that `encodeEnvelope` reserves for the position that the server adds. */
const RESERVE = 96;

/** Objects nested `depth` levels deep. */
function nested(depth: number): Record<string, unknown> {
  let value: Record<string, unknown> = {};
  for (let level = 1; level < depth; level++) value = { a: value };
  return value;
}

/** An envelope whose JSON has exactly this many bytes, filled with `text`. */
function envelopeOfSize(bytes: number, text = 'x'): Envelope {
  const empty = JSON.stringify({ ...envelope, data: { pad: '' } }).length;
  const width = utf8.encode(text).byteLength;
  const count = Math.floor((bytes - empty) / width);
  const rest = (bytes - empty) % width;
  return { ...envelope, data: { pad: text.repeat(count) + 'x'.repeat(rest) } };
}

describe('round trip', () => {
  it('returns the encoded envelope, with and without the optional fields', () => {
    const full = { ...envelope, seq: 3, epoch: 1_700_000_000_000, at: 5, id: 'id', expires_at: 6 };
    for (const one of [envelope, full]) expect(decodeEnvelope(utf8.encode(encodeEnvelope(one)))).toEqual(one);
  });

  it('writes plain JSON with the four standard fields', () => {
    expect(JSON.parse(encodeEnvelope(envelope))).toEqual(envelope);
  });

  it('leaves out undefined fields, as JSON does', () => {
    const json = encodeEnvelope({ ...envelope, data: { symbol: 'AAPL', bid: undefined } });
    expect(JSON.parse(json).data).toEqual({ symbol: 'AAPL' });
  });

  it('accepts an object without a prototype', () => {
    const data = Object.assign(Object.create(null), { symbol: 'AAPL' });
    expect(JSON.parse(encodeEnvelope({ ...envelope, data })).data).toEqual({ symbol: 'AAPL' });
  });

  it('accepts the same object in two places', () => {
    const shared = { n: 1 };
    expect(JSON.parse(encodeEnvelope({ ...envelope, data: { a: shared, b: shared } })).data).toEqual({
      a: shared,
      b: shared,
    });
  });

  it('keeps lone surrogates, which JSON can escape and UTF-8 cannot encode', () => {
    const surrogate = { ...envelope, data: { text: 'a\ud800b' } };
    expect(decodeEnvelope(utf8.encode(encodeEnvelope(surrogate)))).toEqual(surrogate);
  });
});

describe('size', () => {
  it.each([
    ['ASCII', 'x'],
    ['two bytes per character', 'é'],
    ['three bytes per character', '€'],
    ['four bytes per character', '🪙'],
  ])('decode accepts exactly 256 KiB and rejects one byte more (%s)', (_, text) => {
    const fits = utf8.encode(JSON.stringify(envelopeOfSize(MAX_MESSAGE_BYTES, text)));
    expect(fits.byteLength).toBe(262_144);
    expect(decodeEnvelope(fits).sender).toBe('gateway');
    const larger = utf8.encode(JSON.stringify(envelopeOfSize(MAX_MESSAGE_BYTES + 1, text)));
    expect(() => decodeEnvelope(larger)).toThrow(invalidMessage());
  });

  it.each([
    ['ASCII', 'x'],
    ['two bytes per character', 'é'],
    ['three bytes per character', '€'],
    ['four bytes per character', '🪙'],
  ])('encode reserves bytes for the position and rejects one byte more (%s)', (_, text) => {
    const json = encodeEnvelope(envelopeOfSize(MAX_MESSAGE_BYTES - RESERVE, text));
    expect(utf8.encode(json).byteLength).toBe(MAX_MESSAGE_BYTES - RESERVE);
    expect(() => encodeEnvelope(envelopeOfSize(MAX_MESSAGE_BYTES - RESERVE + 1, text))).toThrow(
      invalidMessage('data'),
    );
  });

  it('decode accepts the largest encoded message with the largest position', () => {
    const json = encodeEnvelope(envelopeOfSize(MAX_MESSAGE_BYTES - RESERVE));
    const max = Number.MAX_SAFE_INTEGER;
    const numbered = utf8.encode(`{"seq":${max},"epoch":${max},"at":${max},${json.slice(1)}`);
    expect(decodeEnvelope(numbered)).toMatchObject({ seq: max, epoch: max, at: max });
  });
});

describe('depth', () => {
  it('accepts 32 levels, the envelope included, both ways', () => {
    const deepest = { ...envelope, data: nested(MAX_DEPTH - 1) };
    expect(decodeEnvelope(utf8.encode(encodeEnvelope(deepest)))).toEqual(deepest);
  });

  it('rejects 33 levels both ways and names the field', () => {
    const field = `data${'.a'.repeat(MAX_DEPTH - 1)}`;
    encoding(nested(MAX_DEPTH)).toThrow(invalidMessage(field));
    decoding({ ...envelope, data: nested(MAX_DEPTH) }).toThrow(invalidMessage(field));
  });

  it('counts arrays and objects alike', () => {
    const list = (depth: number): unknown => (depth === 0 ? 1 : [list(depth - 1)]);
    decoding({ ...envelope, data: { list: list(MAX_DEPTH - 2) } }).not.toThrow();
    decoding({ ...envelope, data: { list: list(MAX_DEPTH - 1) } }).toThrow(
      invalidMessage(`data.list${'[0]'.repeat(MAX_DEPTH - 2)}`),
    );
  });

  it.each(['[', '{"a":'])('rejects 256 KiB of %s without overflowing the stack', (open) => {
    const levels = Math.floor(MAX_MESSAGE_BYTES / (open.length + 1)) - 50;
    const close = open === '[' ? ']' : '}';
    const inner = open.repeat(levels) + (open === '[' ? '' : '1') + close.repeat(levels);
    const text = `{"message_type":"m","data":{"x":${inner}}}`;
    expect(text.length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
    expect(() => decodeEnvelope(utf8.encode(text))).toThrow(errorWith('TICKBUS_INVALID_MESSAGE'));
  });
});

describe('encoding', () => {
  it.each([
    ['a byte that UTF-8 never contains', [0xff]],
    ['an overlong UTF-8 form', [0xc0, 0x80]],
    ['a truncated UTF-8 character', [0xe2, 0x82]],
    ['a surrogate written as UTF-8', [0xed, 0xa0, 0x80]],
  ])('rejects %s in a string', (_, bytes) => {
    const [head, tail] = JSON.stringify({ ...envelope, sender: '@' }).split('@') as [string, string];
    const frame = Uint8Array.from([...utf8.encode(head), ...bytes, ...utf8.encode(tail)]);
    expect(() => decodeEnvelope(frame)).toThrow(/not valid UTF-8/);
    expect(() => decodeEnvelope(frame)).toThrow(invalidMessage());
  });

  it('rejects a byte order mark, which JSON does not allow', () => {
    const frame = Uint8Array.from([0xef, 0xbb, 0xbf, ...frameOf(envelope)]);
    expect(() => decodeEnvelope(frame)).toThrow(invalidMessage());
  });

  it('rejects an empty message, and keeps the parser error as the cause of others', () => {
    expect(() => decodeEnvelope(new Uint8Array())).toThrow('The message is empty.');
    expect(() => decodeEnvelope(utf8.encode('{'))).toThrow(
      expect.objectContaining({ cause: expect.any(SyntaxError) }),
    );
  });
});

describe('header', () => {
  it.each([
    ['message_type', [undefined, null, 1, '', {}]],
    ['data', [undefined, null, 1, 'text', [], [{}]]],
    ['timestamp', [undefined, null, '1', Number.NaN, Number.POSITIVE_INFINITY]],
    ['sender', [undefined, null, 1, {}]],
    ['id', [null, 1]],
    ['at', [null, '1', -1, 1.5, 2 ** 53]],
    ['expires_at', [null, '1', -1, 1.5, 2 ** 53]],
  ])('%s is checked both ways', (field, values) => {
    for (const value of values) {
      const broken = { ...envelope, [field]: value };
      expect(() => encodeEnvelope(broken as Envelope)).toThrow(invalidMessage(field));
      decoding(broken).toThrow(invalidMessage(field));
    }
  });

  it.each(['seq', 'epoch'])('%s must be an integer from 0', (field) => {
    for (const value of [null, '1', -1, 1.5, 2 ** 53]) {
      decoding({ ...envelope, seq: 1, epoch: 1, [field]: value }).toThrow(invalidMessage(field));
    }
  });

  it('seq and epoch are required together', () => {
    decoding({ ...envelope, seq: 1 }).toThrow(errorWith('TICKBUS_INVALID_MESSAGE'));
    decoding({ ...envelope, epoch: 1 }).toThrow(errorWith('TICKBUS_INVALID_MESSAGE'));
  });

  it('sender may be empty, and unknown fields are kept', () => {
    expect(decodeEnvelope(frameOf({ ...envelope, sender: '', trace: 'x' }))).toMatchObject({ trace: 'x' });
  });
});

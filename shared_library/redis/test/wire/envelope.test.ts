// Envelopes on the wire: round trips, size and depth limits, encoding and header fields.

import { describe, expect, it } from 'vitest';
import { MAX_DEPTH, MAX_MESSAGE_BYTES } from '../../channel/limits.ts';
import {
  decodeBatch,
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  isWithinLimit,
} from '../../wire/envelope.ts';
import { frameOf } from '../library.fixture.ts';

const envelope: Envelope = {
  message_type: 'price',
  data: { symbol: 'AAPL', price: 50_000 },
  timestamp: 1_650_123_456_000,
  sender: 'gateway',
};
/** Bytes that `encodeEnvelope` reserves for the position that the server adds. */
const RESERVE = 96;
const utf8 = new TextEncoder();

const refusal = (field?: string) => expect.objectContaining({ code: 'TICKBUS_INVALID_MESSAGE', field });
const encoding = (data: unknown, change: object = {}) =>
  expect(() => encodeEnvelope({ ...envelope, ...change, data } as Envelope));
const decoding = (document: unknown) => expect(() => decodeEnvelope(frameOf(document)));

/** Objects nested `depth` levels deep. */
function nested(depth: number): Record<string, unknown> {
  let value: Record<string, unknown> = {};
  for (let level = 1; level < depth; level++) value = { a: value };
  return value;
}

/** An envelope whose JSON has exactly this many bytes, filled with `text`. */
function ofBytes(bytes: number, text = 'x'): Envelope {
  const empty = JSON.stringify({ ...envelope, data: { pad: '' } }).length;
  const width = utf8.encode(text).byteLength;
  const count = Math.floor((bytes - empty) / width);
  const rest = (bytes - empty) % width;
  return { ...envelope, data: { pad: text.repeat(count) + 'x'.repeat(rest) } };
}

describe('decodeBatch', () => {
  const frame = (text: string) => utf8.encode(text);

  it('decodes an array of objects', () => {
    expect(decodeBatch(frameOf([envelope, { ...envelope, seq: 1 }]))).toEqual([
      envelope,
      { ...envelope, seq: 1 },
    ]);
  });

  it.each(['[', '[]', '[1]', '[{},null]', '[{},[]]', '[{}]x'])('rejects %s', (text) => {
    expect(() => decodeBatch(frame(text))).toThrow(refusal());
  });

  it('rejects a frame above 1 MiB and a message above 256 KiB', () => {
    const large = ofBytes(MAX_MESSAGE_BYTES);
    const tooLarge = ofBytes(MAX_MESSAGE_BYTES + 1);
    expect(isWithinLimit(frameOf([large, large]), large)).toBe(true);
    expect(isWithinLimit(frameOf([tooLarge]), tooLarge)).toBe(false);
    const fit = Array(3).fill(large);
    expect(decodeBatch(frameOf(fit))).toHaveLength(3);
    expect(() => decodeBatch(frameOf([...fit, large]))).toThrow(refusal());
  });
});

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
    const odd = { ...envelope, data: { text: 'a\ud800b' } };
    expect(decodeEnvelope(utf8.encode(encodeEnvelope(odd)))).toEqual(odd);
  });
});

describe('size', () => {
  it.each([
    ['ASCII', 'x'],
    ['two bytes per character', 'é'],
    ['three bytes per character', '€'],
    ['four bytes per character', '🪙'],
  ])('decode accepts exactly 256 KiB and rejects one byte more (%s)', (_, text) => {
    const fits = utf8.encode(JSON.stringify(ofBytes(MAX_MESSAGE_BYTES, text)));
    expect(fits.byteLength).toBe(262_144);
    expect(decodeEnvelope(fits).sender).toBe('gateway');
    const larger = utf8.encode(JSON.stringify(ofBytes(MAX_MESSAGE_BYTES + 1, text)));
    expect(() => decodeEnvelope(larger)).toThrow(refusal());
  });

  it.each([
    ['ASCII', 'x'],
    ['two bytes per character', 'é'],
    ['three bytes per character', '€'],
    ['four bytes per character', '🪙'],
  ])('encode reserves bytes for the position and rejects one byte more (%s)', (_, text) => {
    const json = encodeEnvelope(ofBytes(MAX_MESSAGE_BYTES - RESERVE, text));
    expect(utf8.encode(json).byteLength).toBe(MAX_MESSAGE_BYTES - RESERVE);
    expect(() => encodeEnvelope(ofBytes(MAX_MESSAGE_BYTES - RESERVE + 1, text))).toThrow(refusal('data'));
  });

  it('decode accepts the largest encoded message with the largest position', () => {
    const json = encodeEnvelope(ofBytes(MAX_MESSAGE_BYTES - RESERVE));
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
    encoding(nested(MAX_DEPTH)).toThrow(refusal(field));
    decoding({ ...envelope, data: nested(MAX_DEPTH) }).toThrow(refusal(field));
  });

  it('counts arrays and objects alike', () => {
    const list = (depth: number): unknown => (depth === 0 ? 1 : [list(depth - 1)]);
    decoding({ ...envelope, data: { list: list(MAX_DEPTH - 2) } }).not.toThrow();
    decoding({ ...envelope, data: { list: list(MAX_DEPTH - 1) } }).toThrow(
      refusal(`data.list${'[0]'.repeat(MAX_DEPTH - 2)}`),
    );
  });

  it.each(['[', '{"a":'])('rejects 256 KiB of %s without overflowing the stack', (open) => {
    const levels = Math.floor(MAX_MESSAGE_BYTES / (open.length + 1)) - 50;
    const close = open === '[' ? ']' : '}';
    const inner = open.repeat(levels) + (open === '[' ? '' : '1') + close.repeat(levels);
    const text = `{"message_type":"m","data":{"x":${inner}}}`;
    expect(text.length).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
    expect(() => decodeEnvelope(utf8.encode(text))).toThrow(
      expect.objectContaining({ code: 'TICKBUS_INVALID_MESSAGE' }),
    );
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
    expect(() => decodeEnvelope(frame)).toThrow(refusal());
  });

  it('rejects a byte order mark, which JSON does not allow', () => {
    const frame = Uint8Array.from([0xef, 0xbb, 0xbf, ...frameOf(envelope)]);
    expect(() => decodeEnvelope(frame)).toThrow(refusal());
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
      expect(() => encodeEnvelope(broken as Envelope)).toThrow(refusal(field));
      decoding(broken).toThrow(refusal(field));
    }
  });

  it.each(['seq', 'epoch'])('%s must be an integer from 0', (field) => {
    for (const value of [null, '1', -1, 1.5, 2 ** 53]) {
      decoding({ ...envelope, seq: 1, epoch: 1, [field]: value }).toThrow(refusal(field));
    }
  });

  it('seq and epoch are required together', () => {
    decoding({ ...envelope, seq: 1 }).toThrow(expect.objectContaining({ code: 'TICKBUS_INVALID_MESSAGE' }));
    decoding({ ...envelope, epoch: 1 }).toThrow(expect.objectContaining({ code: 'TICKBUS_INVALID_MESSAGE' }));
  });

  it('sender may be empty, and unknown fields are kept', () => {
    expect(decodeEnvelope(frameOf({ ...envelope, sender: '', trace: 'x' }))).toMatchObject({ trace: 'x' });
  });
});

describe('forbidden member names', () => {
  it.each(['__proto__', 'constructor'])('%s is rejected at every level, also within arrays', (name) => {
    const inner = JSON.parse(`{"${name}":{"polluted":true}}`);
    encoding(inner).toThrow(refusal(`data.${name}`));
    encoding({ a: { b: inner } }).toThrow(refusal(`data.a.b.${name}`));
    decoding({ ...envelope, data: { list: [1, inner] } }).toThrow(refusal(`data.list[1].${name}`));
    const text = `{"${name}":1,${JSON.stringify(envelope).slice(1)}`;
    expect(() => decodeEnvelope(utf8.encode(text))).toThrow(refusal(name));
  });

  it('are accepted as values', () => {
    encoding({ a: '__proto__', b: ['constructor'] }).not.toThrow();
  });
});

describe('a value without a faithful JSON form', () => {
  class Money {
    amount = 1;
  }
  it.each<[string, unknown]>([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a Map', new Map()],
    ['a Set', new Set()],
    ['a RegExp', /x/],
    ['a Promise', Promise.resolve()],
    ['an Error', new Error('x')],
    ['a typed array', new Uint8Array(2)],
    ['a Buffer', Buffer.from('x')],
    ['a boxed number', Object(1)],
    ['a Date', new Date(0)],
    ['a URL', new URL('redis://host')],
    ['a class instance', new Money()],
    ['an object with its own toJSON', { toJSON: () => 1 }],
    ['an object with its own toStringTag', { __proto__: null, [Symbol.toStringTag]: 'Odd' }],
  ])('rejects with its field: %s', (_, value) => {
    encoding({ x: value }).toThrow(refusal('data.x'));
    encoding({ x: [{ y: value }] }).toThrow(refusal('data.x[0].y'));
  });

  it('rejects undefined in an array, and an array hole', () => {
    encoding({ x: [1, undefined] }).toThrow(refusal('data.x[1]'));
    // biome-ignore lint/suspicious/noSparseArray: it is what is tested
    encoding({ x: [1, , 2] }).toThrow(refusal('data.x[1]'));
  });

  it('rejects a cycle by its depth', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    encoding(cycle).toThrow(expect.objectContaining({ field: expect.stringMatching(/^data\.self/) }));
  });

  it('rejects a toJSON that returns its own object', () => {
    const odd = {
      toJSON() {
        return odd;
      },
    };
    encoding({ x: odd }).toThrow(refusal('data.x'));
  });

  it('rejects a payload that is not an object on the wire', () => {
    encoding(new Date(0)).toThrow(refusal('data'));
    encoding({ toJSON: () => 'text' }).toThrow(refusal('data'));
  });
});

describe('the field of an error', () => {
  it('is escaped and cut', () => {
    encoding({ '\u001b[2J': 1n }).toThrow(refusal('data.\\u001b[2J'));
    encoding({ ['k'.repeat(5_000)]: 1n }).toThrow(
      expect.objectContaining({ field: expect.stringMatching(/^data\.k{195}\.\.\. \(5005 characters\)$/) }),
    );
  });
});

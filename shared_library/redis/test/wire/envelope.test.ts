// The wire format: what goes through, what does not, and where exactly the limits are.

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
/** What the server may add to a message; `encode` leaves room for it. */
const RESERVE = 96;
const utf8 = new TextEncoder();

const refusal = (field?: string) => expect.objectContaining({ code: 'TICKBUS_INVALID_MESSAGE', field });
const encoding = (data: unknown, change: object = {}) =>
  expect(() => encodeEnvelope({ ...envelope, ...change, data } as Envelope));
const decoding = (document: unknown) => expect(() => decodeEnvelope(frameOf(document)));

/** `depth` levels of objects. */
function nested(depth: number): Record<string, unknown> {
  let value: Record<string, unknown> = {};
  for (let level = 1; level < depth; level++) value = { a: value };
  return value;
}

/** An envelope whose JSON has exactly so many bytes; `text` is repeated as far as it goes. */
function ofBytes(bytes: number, text = 'x'): Envelope {
  const empty = JSON.stringify({ ...envelope, data: { pad: '' } }).length;
  const width = utf8.encode(text).byteLength;
  const count = Math.floor((bytes - empty) / width);
  const rest = (bytes - empty) % width;
  return { ...envelope, data: { pad: text.repeat(count) + 'x'.repeat(rest) } };
}

describe('a batch', () => {
  const frame = (text: string) => utf8.encode(text);

  it('is an array of objects', () => {
    expect(decodeBatch(frameOf([envelope, { ...envelope, seq: 1 }]))).toEqual([
      envelope,
      { ...envelope, seq: 1 },
    ]);
  });

  it.each(['[', '[]', '[1]', '[{},null]', '[{},[]]', '[{}]x'])('is not %s', (text) => {
    expect(() => decodeBatch(frame(text))).toThrow(refusal());
  });

  it('is refused above 1 MiB, and each of its messages above 256 KiB', () => {
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
  it('gives back what was encoded, with and without the optional fields', () => {
    const full = { ...envelope, seq: 3, epoch: 1_700_000_000_000, at: 5, id: 'id', expires_at: 6 };
    for (const one of [envelope, full]) expect(decodeEnvelope(utf8.encode(encodeEnvelope(one)))).toEqual(one);
  });

  it('is plain JSON with the four standard fields', () => {
    expect(JSON.parse(encodeEnvelope(envelope))).toEqual(envelope);
  });

  it('leaves out a field that is undefined, as JSON does', () => {
    const json = encodeEnvelope({ ...envelope, data: { symbol: 'AAPL', bid: undefined } });
    expect(JSON.parse(json).data).toEqual({ symbol: 'AAPL' });
  });

  it('takes an object without a prototype', () => {
    const data = Object.assign(Object.create(null), { symbol: 'AAPL' });
    expect(JSON.parse(encodeEnvelope({ ...envelope, data })).data).toEqual({ symbol: 'AAPL' });
  });

  it('keeps the same object at two places, which is no cycle', () => {
    const shared = { n: 1 };
    expect(JSON.parse(encodeEnvelope({ ...envelope, data: { a: shared, b: shared } })).data).toEqual({
      a: shared,
      b: shared,
    });
  });

  it('keeps lone surrogates, which JSON can write though UTF-8 cannot', () => {
    const odd = { ...envelope, data: { text: 'a\ud800b' } };
    expect(decodeEnvelope(utf8.encode(encodeEnvelope(odd)))).toEqual(odd);
  });
});

describe('size', () => {
  it.each([
    ['ASCII', 'x'],
    ['two bytes a character', 'é'],
    ['three bytes a character', '€'],
    ['four bytes a character', '🪙'],
  ])('decode takes exactly 256 KiB and not a byte more (%s)', (_, text) => {
    const fits = utf8.encode(JSON.stringify(ofBytes(MAX_MESSAGE_BYTES, text)));
    expect(fits.byteLength).toBe(262_144);
    expect(decodeEnvelope(fits).sender).toBe('gateway');
    const larger = utf8.encode(JSON.stringify(ofBytes(MAX_MESSAGE_BYTES + 1, text)));
    expect(() => decodeEnvelope(larger)).toThrow(refusal());
  });

  it.each([
    ['ASCII', 'x'],
    ['two bytes a character', 'é'],
    ['three bytes a character', '€'],
    ['four bytes a character', '🪙'],
  ])('encode leaves room for the position and takes not a byte more (%s)', (_, text) => {
    const json = encodeEnvelope(ofBytes(MAX_MESSAGE_BYTES - RESERVE, text));
    expect(utf8.encode(json).byteLength).toBe(MAX_MESSAGE_BYTES - RESERVE);
    expect(() => encodeEnvelope(ofBytes(MAX_MESSAGE_BYTES - RESERVE + 1, text))).toThrow(refusal('data'));
  });

  it('what encode takes, decode takes with the largest position before it', () => {
    const json = encodeEnvelope(ofBytes(MAX_MESSAGE_BYTES - RESERVE));
    const max = Number.MAX_SAFE_INTEGER;
    const numbered = utf8.encode(`{"seq":${max},"epoch":${max},"at":${max},${json.slice(1)}`);
    expect(decodeEnvelope(numbered)).toMatchObject({ seq: max, epoch: max, at: max });
  });
});

describe('depth', () => {
  it('32 levels, the envelope being the first, are taken both ways', () => {
    const deepest = { ...envelope, data: nested(MAX_DEPTH - 1) };
    expect(decodeEnvelope(utf8.encode(encodeEnvelope(deepest)))).toEqual(deepest);
  });

  it('33 levels are refused both ways, and the place is named', () => {
    const field = `data${'.a'.repeat(MAX_DEPTH - 1)}`;
    encoding(nested(MAX_DEPTH)).toThrow(refusal(field));
    decoding({ ...envelope, data: nested(MAX_DEPTH) }).toThrow(refusal(field));
  });

  it('counts arrays as objects are counted', () => {
    const list = (depth: number): unknown => (depth === 0 ? 1 : [list(depth - 1)]);
    decoding({ ...envelope, data: { list: list(MAX_DEPTH - 2) } }).not.toThrow();
    decoding({ ...envelope, data: { list: list(MAX_DEPTH - 1) } }).toThrow(
      refusal(`data.list${'[0]'.repeat(MAX_DEPTH - 2)}`),
    );
  });

  it.each(['[', '{"a":'])('refuses 256 KiB of %s without overflowing the stack', (open) => {
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

describe('bytes', () => {
  it.each([
    ['a byte that UTF-8 never has', [0xff]],
    ['an overlong form', [0xc0, 0x80]],
    ['half a character', [0xe2, 0x82]],
    ['a surrogate written as UTF-8', [0xed, 0xa0, 0x80]],
  ])('refuses %s within a string', (_, bytes) => {
    const [head, tail] = JSON.stringify({ ...envelope, sender: '@' }).split('@') as [string, string];
    const frame = Uint8Array.from([...utf8.encode(head), ...bytes, ...utf8.encode(tail)]);
    expect(() => decodeEnvelope(frame)).toThrow(/not valid UTF-8/);
    expect(() => decodeEnvelope(frame)).toThrow(refusal());
  });

  it('refuses a byte order mark, which JSON does not allow', () => {
    const frame = Uint8Array.from([0xef, 0xbb, 0xbf, ...frameOf(envelope)]);
    expect(() => decodeEnvelope(frame)).toThrow(refusal());
  });

  it('tells an empty message, and keeps the parser error as the cause of others', () => {
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

  it.each(['seq', 'epoch'])('%s is a whole number from 0', (field) => {
    for (const value of [null, '1', -1, 1.5, 2 ** 53]) {
      decoding({ ...envelope, seq: 1, epoch: 1, [field]: value }).toThrow(refusal(field));
    }
  });

  it('seq and epoch come together or not at all', () => {
    decoding({ ...envelope, seq: 1 }).toThrow(expect.objectContaining({ code: 'TICKBUS_INVALID_MESSAGE' }));
    decoding({ ...envelope, epoch: 1 }).toThrow(expect.objectContaining({ code: 'TICKBUS_INVALID_MESSAGE' }));
  });

  it('a sender may be empty, and a foreign field is let through', () => {
    expect(decodeEnvelope(frameOf({ ...envelope, sender: '', trace: 'x' }))).toMatchObject({ trace: 'x' });
  });
});

describe('names that are not allowed', () => {
  it.each(['__proto__', 'constructor'])('%s at every level, also within arrays', (name) => {
    const inner = JSON.parse(`{"${name}":{"polluted":true}}`);
    encoding(inner).toThrow(refusal(`data.${name}`));
    encoding({ a: { b: inner } }).toThrow(refusal(`data.a.b.${name}`));
    decoding({ ...envelope, data: { list: [1, inner] } }).toThrow(refusal(`data.list[1].${name}`));
    const text = `{"${name}":1,${JSON.stringify(envelope).slice(1)}`;
    expect(() => decodeEnvelope(utf8.encode(text))).toThrow(refusal(name));
  });

  it('are allowed as values', () => {
    encoding({ a: '__proto__', b: ['constructor'] }).not.toThrow();
  });
});

describe('values without a faithful JSON form', () => {
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
    ['an instance of a class', new Money()],
    ['an object with a toJSON of its own', { toJSON: () => 1 }],
    ['an object whose tag is of its own making', { __proto__: null, [Symbol.toStringTag]: 'Odd' }],
  ])('%s is refused and its place named', (_, value) => {
    encoding({ x: value }).toThrow(refusal('data.x'));
    encoding({ x: [{ y: value }] }).toThrow(refusal('data.x[0].y'));
  });

  it('undefined in an array, and a hole in one', () => {
    encoding({ x: [1, undefined] }).toThrow(refusal('data.x[1]'));
    // biome-ignore lint/suspicious/noSparseArray: it is what is tested
    encoding({ x: [1, , 2] }).toThrow(refusal('data.x[1]'));
  });

  it('a cycle, by its depth', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    encoding(cycle).toThrow(expect.objectContaining({ field: expect.stringMatching(/^data\.self/) }));
  });

  it('a toJSON that gives the object itself ends, too', () => {
    const odd = {
      toJSON() {
        return odd;
      },
    };
    encoding({ x: odd }).toThrow(refusal('data.x'));
  });

  it('a payload that would not be an object on the wire', () => {
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

// Payloads that an envelope rejects: forbidden member names, and values without a faithful JSON form.

import { describe, expect, it } from 'vitest';
import { decodeEnvelope } from '../../wire/envelope.ts';
import { decoding, encoding, envelope, invalidMessage, utf8 } from './envelope.fixture.ts';

describe('forbidden member names', () => {
  it.each(['__proto__', 'constructor'])('%s is rejected at every level, also within arrays', (name) => {
    const inner = JSON.parse(`{"${name}":{"polluted":true}}`);
    encoding(inner).toThrow(invalidMessage(`data.${name}`));
    encoding({ a: { b: inner } }).toThrow(invalidMessage(`data.a.b.${name}`));
    decoding({ ...envelope, data: { list: [1, inner] } }).toThrow(invalidMessage(`data.list[1].${name}`));
    const text = `{"${name}":1,${JSON.stringify(envelope).slice(1)}`;
    expect(() => decodeEnvelope(utf8.encode(text))).toThrow(invalidMessage(name));
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
    encoding({ x: value }).toThrow(invalidMessage('data.x'));
    encoding({ x: [{ y: value }] }).toThrow(invalidMessage('data.x[0].y'));
  });

  it('rejects undefined in an array, and an array hole', () => {
    encoding({ x: [1, undefined] }).toThrow(invalidMessage('data.x[1]'));
    // biome-ignore lint/suspicious/noSparseArray: the test needs a sparse array
    encoding({ x: [1, , 2] }).toThrow(invalidMessage('data.x[1]'));
  });

  it('rejects a cycle by its depth', () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    encoding(cycle).toThrow(expect.objectContaining({ field: expect.stringMatching(/^data\.self/) }));
  });

  it('rejects a toJSON that returns its own object', () => {
    const recursive = {
      toJSON() {
        return recursive;
      },
    };
    encoding({ x: recursive }).toThrow(invalidMessage('data.x'));
  });

  it('rejects a payload that is not an object on the wire', () => {
    encoding(new Date(0)).toThrow(invalidMessage('data'));
    encoding({ toJSON: () => 'text' }).toThrow(invalidMessage('data'));
  });
});

describe('the field of an error', () => {
  it('is escaped and cut', () => {
    encoding({ '\u001b[2J': 1n }).toThrow(invalidMessage('data.\\u001b[2J'));
    encoding({ ['k'.repeat(5_000)]: 1n }).toThrow(
      expect.objectContaining({ field: expect.stringMatching(/^data\.k{195}\.\.\. \(5005 characters\)$/) }),
    );
  });
});

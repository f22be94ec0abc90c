// The check accepts every frame of a msgpack encoder, and rejects frames that announce more items than they contain.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { codecFor } from '../../../simulated-broker/codec.ts';
import { findMsgpackBomb } from '../../feeds/msgpack-check.ts';

const { encode } = codecFor('application/msgpack');
const bytesOf = (value: unknown) => Buffer.from(encode(value as never));

it('accepts all values that an encoder writes', () => {
  const value = fc.anything({ withDate: true, withTypedArray: false, maxDepth: 6, maxKeys: 40 });
  const text = fc.string({ maxLength: 70_000, size: 'max' });
  const list = fc.array(fc.oneof(value, fc.integer(), fc.double(), text), { maxLength: 50 });
  fc.assert(
    fc.property(list, (values) => {
      let bytes: Buffer;
      try {
        bytes = bytesOf(values);
      } catch {
        // msgpack cannot encode every value.
        return;
      }
      expect(findMsgpackBomb(bytes)).toBeUndefined();
    }),
  );
});

it('accepts long lists, binaries and extensions', () => {
  for (const length of [15, 16, 65_535, 65_536, 200_000])
    expect(findMsgpackBomb(bytesOf([{ trades: Array(length).fill('A'), time: new Date() }]))).toBeUndefined();
  for (const length of [0, 255, 256, 65_536])
    expect(findMsgpackBomb(bytesOf([new Uint8Array(length).fill(0xdd), 'x'.repeat(length)]))).toBeUndefined();
});

it.each([
  ['an array', [0xdd, 0, 0, 0, 8, 1, 1]],
  ['a map', [0xdf, 0, 0, 0, 4, 1, 1]],
  ['arrays together', [0xdc, 0, 4, 0xdc, 0, 4, 1]],
  ['a header without its length', [0xdd, 255]],
])('rejects %s with more items than bytes', (_what, bytes) => {
  expect(findMsgpackBomb(Uint8Array.from(bytes))).toBe('it announces more items than it has bytes');
});

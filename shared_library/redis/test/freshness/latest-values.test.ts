// What is kept of the newest messages: bytes until somebody asks, and stamps by the server's present clock.

import { expect, it } from 'vitest';
import { LatestValues } from '../../freshness/latest-values.ts';
import type { Message } from '../../wire/message.ts';

const message = (n: number, at: number | null = n): Message => ({
  message_type: 'price',
  data: { n },
  timestamp: 0,
  sender: 'test',
  ...(at === null ? {} : { at }),
});

const bytes = (text: string) => new TextEncoder().encode(text);

/** Reads a number from bytes, also one with blanks around it. */
function bench() {
  const read: string[] = [];
  const values = new LatestValues((from) => {
    const text = new TextDecoder().decode(from);
    read.push(text);
    return text === 'spoilt' ? undefined : message(Number(text));
  });
  return { values, read };
}

it('reads bytes once, when it is asked for, and not those that were replaced before', () => {
  const { values, read } = bench();
  values.set('A', message(1), bytes('1'));
  values.set('A', message(2), bytes('2'));
  expect(read).toEqual([]);
  const got = values.get('A');
  expect(got).toEqual(message(2));
  expect(values.get('A')).toBe(got);
  expect(read).toEqual(['2']);
  values.set('A', message(3), bytes('3'));
  expect(values.get('A')).toEqual(message(3));
});

it('has bytes of its own, whatever becomes of those that it was given', () => {
  const { values } = bench();
  const chunk = bytes('1234');
  values.set('A', message(12), chunk.subarray(0, 2));
  values.set('B', message(34), chunk.subarray(2));
  chunk.fill(0x39);
  expect([values.get('A'), values.get('B')]).toEqual([message(12), message(34)]);
});

it('keeps messages of changing sizes apart', () => {
  const { values, read } = bench();
  const sizes = [1, 100, 120, 1, 900, 1_100, 5_000, 200_000, 100, 3_000, 1, 20_000, 64];
  const keys = Array.from({ length: 300 }, (_, index) => `key ${index}`);
  const text = (n: number, size: number) => String(n).padEnd(size);
  for (const [round, size] of sizes.entries()) {
    for (const [index, key] of keys.entries())
      values.set(key, message(round * 1_000 + index), bytes(text(round * 1_000 + index, size + index)));
    for (const [index, key] of keys.entries()) {
      expect(values.get(key)).toEqual(message(round * 1_000 + index));
      expect(read.pop()).toBe(text(round * 1_000 + index, size + index));
    }
  }
});

it('gives a message that has no bytes as it is', () => {
  const { values, read } = bench();
  values.set('A', message(1), bytes('1'));
  const kept = message(2);
  values.set('A', kept);
  expect(values.get('A')).toBe(kept);
  values.set('A', message(3), bytes('3'));
  expect(values.get('A')).toEqual(message(3));
  expect(read).toEqual(['3']);
});

it('has none for a key whose newest cannot be used, nor for one whose bytes cannot be read again', () => {
  const { values } = bench();
  values.set('A', message(1), bytes('1'));
  values.set('A', undefined);
  values.set('B', message(2), bytes('spoilt'));
  values.set('C', undefined);
  expect(['A', 'B', 'C', 'D'].map((key) => values.get(key))).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect([...values.keys()]).toEqual([]);
  expect(['A', 'B', 'C', 'D'].map((key) => values.stampOf(key))).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  values.set('A', message(4), bytes('4'));
  expect([values.get('A'), values.stampOf('A')]).toEqual([message(4), 4]);
  expect([...values.keys()]).toEqual(['A']);
});

it('moves every stamp with the clock of the server, also that of a newest whose key is gone', () => {
  const { values, read } = bench();
  values.set('A', message(1, 1_000), bytes('1'));
  values.set('B', message(2, null), bytes('2'));
  values.set('C', message(3, 3_000), bytes('3'));
  values.set('C', undefined);
  values.shiftStamps(-500);
  expect([values.stampOf('A'), values.stampOf('B'), values.newestStamp]).toEqual([500, undefined, 2_500]);
  values.set('A', message(4, 2_000), bytes('4'));
  expect([values.stampOf('A'), values.newestStamp]).toEqual([2_000, 2_000]);
  expect(read).toEqual([]);
});

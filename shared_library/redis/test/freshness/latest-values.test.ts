// The newest message of each key: stored as bytes, parsed on demand, stamped by the server clock.

import { expect, it } from 'vitest';
import { LatestValues, type LatestValuesOptions } from '../../freshness/latest-values.ts';
import type { Message } from '../../wire/message.ts';
import { recordSize } from '../../wire/message-size.ts';

const message = (n: number, at: number | null = n): Message => ({
  message_type: 'price',
  data: { n },
  timestamp: 0,
  sender: 'test',
  ...(at === null ? {} : { at }),
});

const bytes = (text: string) => new TextEncoder().encode(text);

/** LatestValues that parse numbers from bytes, and the texts parsed so far. */
function setUp(limits: Pick<LatestValuesOptions, 'isPinned' | 'maxKeys' | 'maxBytes'> = {}) {
  const read: string[] = [];
  const evicted: number[] = [];
  const values = new LatestValues({
    ...limits,
    read: (from) => {
      const text = new TextDecoder().decode(from);
      read.push(text);
      return text === 'spoilt' ? undefined : message(Number(text));
    },
    onEvicted: (keys) => evicted.push(keys),
  });
  return { values, read, evicted };
}

it('get parses the bytes once on demand, and never the replaced ones', () => {
  const { values, read } = setUp();
  values.set('A', message(1), bytes('1'));
  values.set('A', message(2), bytes('2'));
  expect(read).toEqual([]);
  const got = values.get('A');
  expect(got).toEqual(message(2));
  expect(values.get('A')).toEqual(got);
  expect(read).toEqual(['2']);
  values.set('A', message(3), bytes('3'));
  expect(values.get('A')).toEqual(message(3));
});

it('set copies the bytes', () => {
  const { values } = setUp();
  const chunk = bytes('1234');
  values.set('A', message(12), chunk.subarray(0, 2));
  values.set('B', message(34), chunk.subarray(2));
  chunk.fill(0x39);
  expect([values.get('A'), values.get('B')]).toEqual([message(12), message(34)]);
});

it('keeps messages of changing sizes apart', () => {
  const { values, read } = setUp();
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

it('get returns a message without bytes unchanged', () => {
  const { values, read } = setUp();
  values.set('A', message(1), bytes('1'));
  const kept = message(2);
  values.set('A', kept);
  expect(values.get('A')).toEqual(kept);
  values.set('A', message(3), bytes('3'));
  expect(values.get('A')).toEqual(message(3));
  expect(read).toEqual(['3']);
});

it('get returns undefined for a key whose newest message is invalid or cannot be parsed again', () => {
  const { values } = setUp();
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

it('clockWasSet shifts every stamp, also that of an invalid newest message', () => {
  const { values, read } = setUp();
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

it('evicts the keys without messages for longest when there are too many, and says how many', () => {
  const { values, evicted } = setUp({ maxKeys: 100 });
  for (let n = 0; n < 100; n++) values.set(`K${n}`, message(n), bytes(String(n)));
  expect(evicted).toEqual([]);
  values.set('K0', message(1), bytes('1'));
  values.set('new', message(2), bytes('2'));
  const keys = [...values.keys()];
  expect(keys).toHaveLength(101 - (evicted[0] ?? 0));
  expect(keys.length).toBeLessThanOrEqual(90);
  expect(keys).toEqual(expect.arrayContaining(['K0', 'new', 'K99', 'K20']));
  expect(values.get('K1')).toBeUndefined();
  expect(values.stampOf('K1')).toBeUndefined();
});

it('keeps pinned keys, whatever their number', () => {
  const { values, evicted } = setUp({ maxKeys: 10, isPinned: (key) => key.startsWith('P') });
  for (let n = 0; n < 50; n++) values.set(`P${n}`, message(n), bytes(String(n)));
  expect(evicted).toEqual([]);
  for (let n = 0; n < 1_000; n++) values.set(`fake${n}`, message(n), bytes(String(n)));
  const keys = [...values.keys()];
  expect(keys.filter((key) => key.startsWith('P'))).toHaveLength(50);
  expect(keys.length).toBeLessThan(60);
  expect(evicted.reduce((sum, count) => sum + count, 0)).toBe(1_050 - keys.length);
});

it('bounds the bytes of large values', () => {
  const { values, evicted } = setUp({ maxBytes: 1_000_000 });
  const large = new Uint8Array(100_000);
  for (let n = 0; n < 1_000; n++) {
    values.set(`K${n}`, message(n), large);
    expect(values.bytes).toBeLessThanOrEqual(1_000_000 + 2 * large.length);
  }
  for (let n = 1_000; n < 2_000; n++) {
    const object = message(n);
    recordSize(object, 100_000);
    values.set(`K${n}`, object);
    expect(values.bytes).toBeLessThanOrEqual(1_000_000 + 2 * large.length);
  }
  expect([...values.keys()].length).toBeLessThan(12);
  expect(evicted.length).toBeGreaterThan(100);
});

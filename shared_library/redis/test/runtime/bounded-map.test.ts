// BoundedMap: above the limit the stalest entries are evicted, but never those for which `isKept` returns true.

import { expect, it } from 'vitest';
import { BoundedMap } from '../../runtime/bounded-map.ts';

function setUp(limit: number, isKept: (value: string) => boolean = () => false) {
  const evicted: number[] = [];
  return {
    evicted,
    map: new BoundedMap<string>({ limit, isKept, onEvicted: (count) => evicted.push(count) }),
  };
}

it('evicts the entries that were set least recently, and says how many', () => {
  const { map, evicted } = setUp(10);
  for (let n = 0; n < 10; n++) map.set(`K${n}`, 'a');
  map.set('K0', 'b');
  expect(evicted).toEqual([]);
  map.set('K10', 'a');
  expect(evicted).toEqual([2]);
  expect([map.get('K0'), map.get('K1'), map.get('K2'), map.get('K10')]).toEqual([
    'b',
    undefined,
    undefined,
    'a',
  ]);
});

it('keeps what must be kept, beside a flood of others', () => {
  const { map } = setUp(100, (value) => value === 'real');
  for (let n = 0; n < 150; n++) map.set(`R${n}`, 'real');
  for (let n = 0; n < 10_000; n++) map.set(`F${n}`, 'fake');
  for (let n = 0; n < 150; n++) expect(map.get(`R${n}`)).toBe('real');
  expect(map.size).toBeLessThan(200);
});

it('update replaces each value', () => {
  const { map } = setUp(10);
  map.set('A', 'a');
  map.update((value) => `${value}!`);
  expect(map.get('A')).toBe('a!');
});

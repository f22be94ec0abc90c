// Seeded choices repeat; the slope is that of the samples.

import { expect, it } from 'vitest';
import { slopePerMinute } from '../heap.ts';
import { Random } from '../random.ts';

it('the same seed gives the same choices, another one others, and a fork does not depend on what was drawn before', () => {
  const draw = (random: Random) => Array.from({ length: 50 }, () => random.int(0, 1_000_000));
  expect(draw(new Random(5))).toEqual(draw(new Random(5)));
  expect(draw(new Random(5))).not.toEqual(draw(new Random(6)));
  const drawn = new Random(5);
  draw(drawn);
  expect(draw(drawn.fork('proxy'))).toEqual(draw(new Random(5).fork('proxy')));
  expect(draw(drawn.fork('proxy'))).not.toEqual(draw(new Random(5).fork('kills')));
});

it('choices are within what was asked for, both ends included', () => {
  const random = new Random(1);
  const drawn = new Set(Array.from({ length: 200 }, () => random.int(3, 5)));
  expect([...drawn].sort()).toEqual([3, 4, 5]);
  expect(new Set(Array.from({ length: 200 }, () => random.pick(['a', 'b'])))).toEqual(new Set(['a', 'b']));
  expect(Array.from({ length: 50 }, () => random.percent(100)).every(Boolean)).toBe(true);
  expect(Array.from({ length: 50 }, () => random.percent(0)).some(Boolean)).toBe(false);
});

it('the slope of a line is its slope, of noise about none, and of one sample 0', () => {
  const line = [0, 1, 2, 3].map((minute) => ({ atMs: minute * 60_000, bytes: 1_000 + minute * 500 }));
  expect(slopePerMinute(line)).toBeCloseTo(500);
  const flat = [5, 7, 7, 5].map((bytes, minute) => ({ atMs: minute * 60_000, bytes }));
  expect(slopePerMinute(flat)).toBeCloseTo(0);
  expect(slopePerMinute([{ atMs: 1, bytes: 1 }])).toBe(0);
});

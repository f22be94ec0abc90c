import { expect, it } from 'vitest';
import { slopePerMinute } from '../heap.ts';

it('the slope is exact for a line, about 0 for noise, and 0 for one sample', () => {
  const line = [0, 1, 2, 3].map((minute) => ({ atMs: minute * 60_000, bytes: 1_000 + minute * 500 }));
  expect(slopePerMinute(line)).toBeCloseTo(500);
  const flat = [5, 7, 7, 5].map((bytes, minute) => ({ atMs: minute * 60_000, bytes }));
  expect(slopePerMinute(flat)).toBeCloseTo(0);
  expect(slopePerMinute([{ atMs: 1, bytes: 1 }])).toBe(0);
});

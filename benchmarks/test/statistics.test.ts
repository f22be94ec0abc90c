// Medians with their range, ratios per pair, and the order of the rounds.

import { describe, expect, it } from 'vitest';
import { figureOf, ratioOf, rotated } from '../statistics.ts';

describe('figureOf', () => {
  it('takes the middle of an odd count, and keeps the extremes', () => {
    expect(figureOf([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9, runs: 3 });
  });

  it('takes the mean of the two middle values of an even count', () => {
    expect(figureOf([4, 1, 2, 10]).median).toBe(3);
  });

  it('rejects an empty list', () => {
    expect(() => figureOf([])).toThrow(RangeError);
  });
});

describe('ratioOf', () => {
  it('takes the ratio per pair, so that a temporarily slow machine does not count', () => {
    const ours = [100, 50, 100];
    const theirs = [50, 25, 50];
    expect(ratioOf(ours, theirs)).toEqual({ median: 2, min: 2, max: 2, runs: 3 });
  });

  it('ignores values without a partner or a figure', () => {
    expect(ratioOf([2, 4, 8], [1, Number.NaN])).toEqual({ median: 2, min: 2, max: 2, runs: 1 });
    expect(ratioOf([1], [])).toBeUndefined();
  });
});

describe('rotated', () => {
  it('starts each round with the next item', () => {
    expect([0, 1, 2, 3].map((round) => rotated(['a', 'b', 'c'], round).join(''))).toEqual([
      'abc',
      'bca',
      'cab',
      'abc',
    ]);
    expect(rotated([], 5)).toEqual([]);
  });
});

// What counts as a silent loss.

import type { Gap } from 'tickbus';
import { describe, expect, it } from 'vitest';
import { LossCheck } from '../loss-check.ts';

const gap = (fields: Partial<Gap>): Gap => ({
  type: 'gap',
  channel: 'PRICE_DATA',
  cause: 'loss',
  epoch: 1,
  from: undefined,
  to: undefined,
  lost: undefined,
  repaired: false,
  ...fields,
});

/** Prices as [epoch, seq] in order of arrival, and gaps. */
function check(prices: readonly (readonly [number, number])[], gaps: readonly Gap[] = []): LossCheck {
  const losses = new LossCheck();
  for (const [epoch, seq] of prices) losses.onPrice({ epoch, seq });
  for (const one of gaps) losses.onGap(one);
  return losses;
}

const epochEnd = gap({ cause: 'epoch', from: 4 });

describe('a loss is silent', () => {
  it.each([
    [
      'in a hole that no gap covers',
      [
        [1, 5],
        [1, 6],
        [1, 9],
      ],
      [],
      2,
    ],
    [
      'in the part of a hole that a gap leaves out',
      [
        [1, 1],
        [1, 5],
      ],
      [gap({ from: 2, to: 3, lost: 2 })],
      1,
    ],
    [
      'if a gap of another epoch covers the hole',
      [
        [1, 1],
        [1, 3],
      ],
      [gap({ epoch: 2, from: 2, to: 2 })],
      1,
    ],
    [
      'at the end of an epoch that no gap reports',
      [
        [1, 1],
        [2, 1],
      ],
      [],
      1,
    ],
    [
      'in a hole before a reported end',
      [
        [1, 1],
        [1, 3],
        [2, 1],
      ],
      [epochEnd],
      1,
    ],
  ] as const)('%s', (_, prices, gaps, lost) => {
    expect(check(prices, gaps).silentlyLost).toBe(lost);
  });
});

describe('no loss is silent', () => {
  it.each([
    [
      'without any loss',
      [
        [1, 7],
        [1, 8],
        [1, 9],
      ],
      [],
      0,
    ],
    [
      'if messages arrive late',
      [
        [1, 1],
        [1, 3],
        [1, 2],
        [1, 4],
      ],
      [],
      0,
    ],
    [
      'if a gap covers the hole',
      [
        [1, 1],
        [1, 5],
      ],
      [gap({ from: 2, to: 4, lost: 3 })],
      1,
    ],
    [
      'if the gap of the end is reported',
      [
        [1, 1],
        [1, 2],
        [1, 3],
        [2, 1],
      ],
      [epochEnd],
      1,
    ],
    [
      'if a gap was repaired',
      [
        [1, 1],
        [1, 2],
        [1, 3],
      ],
      [gap({ from: 2, to: 2, repaired: true })],
      0,
    ],
  ] as const)('%s', (_, prices, gaps, reported) => {
    const losses = check(prices, gaps);
    expect([losses.silentlyLost, losses.gaps]).toEqual([0, reported]);
  });
});

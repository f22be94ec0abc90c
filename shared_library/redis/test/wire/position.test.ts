// Positions: how two positions relate, and which messages are missing between them.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { missingBetween, ORIGIN, relate } from '../../wire/position.ts';

describe('relate', () => {
  const position = { epoch: 7, seq: 10 };

  it.each([
    ['seen', 7, 1],
    ['seen', 7, 10],
    ['next', 7, 11],
    ['ahead', 7, 12],
    ['seen', 6, 11],
    ['seen', 6, 1_000],
    ['new_epoch', 8, 1],
    ['new_epoch', 8, 11],
  ])('returns %s for epoch %i, seq %i at epoch 7, seq 10', (relation, epoch, seq) => {
    expect(relate(position, { epoch, seq })).toBe(relation);
  });

  it.each([
    ['next', 1],
    ['ahead', 2],
    ['seen', 0],
  ])('returns %s for seq %2$i at ORIGIN', (relation, seq) => {
    expect(relate(ORIGIN, { epoch: 123, seq })).toBe(relation);
  });
});

describe('missingBetween', () => {
  it.each([
    [0, 0, [], undefined],
    [5, 5, [], undefined],
    [0, 3, [1, 2, 3], undefined],
    [0, 3, [], { from: 1, to: 3, lost: 3 }],
    [2, 5, [3, 5], { from: 4, to: 4, lost: 1 }],
    [2, 9, [4, 5, 8], { from: 3, to: 9, lost: 4 }],
    [2, 4, [1, 2, 3], { from: 4, to: 4, lost: 1 }],
    [0, 2, [1, 1, 2], undefined],
    [3, 3, [1, 2], undefined],
  ])('after %i up to %i with %j present: %j', (after, top, present, missing) => {
    expect(missingBetween(after, top, present)).toEqual(missing);
  });

  it('equals a check of every number', () => {
    const naive = (after: number, top: number, present: ReadonlySet<number>) => {
      const missing: number[] = [];
      for (let seq = after + 1; seq <= top; seq++) if (!present.has(seq)) missing.push(seq);
      if (missing.length === 0) return undefined;
      return { from: missing[0], to: missing.at(-1), lost: missing.length };
    };
    const range = fc.tuple(fc.nat(30), fc.nat(30)).map(([after, length]) => ({ after, top: after + length }));
    const numbers = range.chain(({ after, top }) =>
      fc.tuple(fc.constant({ after, top }), fc.array(fc.integer({ min: 0, max: top }), { maxLength: 40 })),
    );
    fc.assert(
      fc.property(numbers, ([{ after, top }, there]) => {
        const sorted = [...there].sort((a, b) => a - b);
        expect(missingBetween(after, top, sorted)).toEqual(naive(after, top, new Set(there)));
      }),
      { numRuns: 2_000 },
    );
  });
});

// What every fault must leave behind: a complete and correct history.

import type { CheckedHistory } from '@tickbus/fault-kit/check';
import { expect } from 'vitest';

/** Nothing was lost silently, delivered twice, reordered or made up. */
export function expectNoHarm({ figures, problems }: CheckedHistory): void {
  expect(problems).toEqual([]);
  expect(figures).toMatchObject({
    silent_lost: 0,
    duplicates: 0,
    out_of_order: 0,
    made_up: 0,
    inexact: 0,
  });
}

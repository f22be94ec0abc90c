// What a plain client hears of one, two and misbehaving writers.

import { expect, it } from 'vitest';
import { checkWriters, type Heard } from '../writers.ts';

let next = 0;
const message = (sender: string, epoch: number, seq: number): Heard => ({ n: next++, epoch, seq, sender });

it('writers that follow each other are right, also where numbers are left out', () => {
  const heard = [message('a', 1, 1), message('a', 1, 3), message('b', 2, 1), message('a', 5, 1)];
  expect(checkWriters(heard)).toEqual([]);
  expect(checkWriters([])).toEqual([]);
});

it.each([
  ['a deposed writer gets through', [message('a', 1, 1), message('b', 2, 1), message('a', 1, 2)]],
  ['two writers share an epoch', [message('a', 1, 1), message('b', 1, 2)]],
  ['a number is used twice', [message('a', 1, 1), message('a', 1, 1)]],
  ['numbers go back', [message('a', 1, 2), message('a', 1, 1)]],
])('it reports once that %s', (_, heard) => {
  expect(checkWriters(heard)).toHaveLength(1);
});

it('what follows a message out of place is compared with what was right', () => {
  const heard = [message('a', 1, 1), message('b', 2, 1), message('a', 1, 2), message('b', 2, 2)];
  expect(checkWriters(heard)).toEqual([expect.stringContaining('(1-2) of a was published after 2-1 of b')]);
});

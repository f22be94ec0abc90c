// What a plain client hears of one, two and misbehaving writers, and publishers that keep the order of their calls, or do not.

import { expect, it } from 'vitest';
import type { SentRecord } from '../records.ts';
import { checkCallOrder, checkWriters, type ObservedMessage } from '../writers.ts';

let next = 0;
const message = (sender: string, epoch: number, seq: number): ObservedMessage => ({
  n: next++,
  epoch,
  seq,
  sender,
});

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

it('positions follow the calls of a publisher, and what was not accepted is passed over', () => {
  const sent = [accepted(1, 1), accepted(1, 2), refused(), accepted(1, 5), accepted(2, 1)];
  expect(checkCallOrder(sent)).toEqual([]);
  expect(checkCallOrder([accepted(1, 1), accepted(1, 3), refused(), accepted(1, 2)])).toEqual([
    expect.stringMatching(/\(1-2\) does not follow .* \(1-3\)/),
  ]);
  expect(checkCallOrder([accepted(2, 1), accepted(1, 7)])).toHaveLength(1);
});

function accepted(epoch: number, seq: number): SentRecord {
  return { n: next++, channel: 'FILLS', key: 'A', outcome: 'accepted', position: { epoch, seq } };
}

function refused(): SentRecord {
  return { n: next++, channel: 'FILLS', key: 'A', outcome: 'refused', position: undefined };
}

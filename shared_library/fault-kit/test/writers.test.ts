// Checks of writers and of the order of publish calls.

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

it('accepts successive writers, also with skipped numbers', () => {
  const messages = [message('a', 1, 1), message('a', 1, 3), message('b', 2, 1), message('a', 5, 1)];
  expect(checkWriters(messages)).toEqual([]);
  expect(checkWriters([])).toEqual([]);
});

it.each([
  ['a deposed writer gets through', [message('a', 1, 1), message('b', 2, 1), message('a', 1, 2)]],
  ['two writers share an epoch', [message('a', 1, 1), message('b', 1, 2)]],
  ['a number is used twice', [message('a', 1, 1), message('a', 1, 1)]],
  ['numbers go back', [message('a', 1, 2), message('a', 1, 1)]],
])('reports once that %s', (_, messages) => {
  expect(checkWriters(messages)).toHaveLength(1);
});

it('compares the next message with the last valid one', () => {
  const messages = [message('a', 1, 1), message('b', 2, 1), message('a', 1, 2), message('b', 2, 2)];
  expect(checkWriters(messages)).toEqual([
    expect.stringContaining('(1-2) of a was published after 2-1 of b'),
  ]);
});

it('checks that positions follow the calls, and skips refused messages', () => {
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

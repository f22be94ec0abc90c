// The time of the venue that a gap begins at, of events that are not checked yet, and which instruments it concerns.

import { expect, it } from 'vitest';
import type { FeedEvent } from '../../feeds/feed.ts';
import { TradeGaps } from '../../trades/trade-gaps.ts';
import { AT, trade } from '../gateway.fixture.ts';

it.each([
  ['a big integer', BigInt(AT)],
  ['no number', Number.NaN],
  ['an object', { valueOf: 1, toString: 1 }],
  ['missing', undefined],
])('ignores a timestamp that is %s', (_, timestamp) => {
  const gaps = new TradeGaps(
    () => true,
    () => AT + 1_000,
  );
  const events = [{ ...trade(1), timestamp }, trade(2)] as unknown as readonly FeedEvent[];
  expect(() => gaps.onFrame(events)).not.toThrow();
});

it('an instrument that is served again has a gap, the others have none', () => {
  const gaps = new TradeGaps(
    () => true,
    () => AT + 1_000,
  );
  // One instrument is published before it is acknowledged.
  expect([...gaps.acknowledge(['AAPL', 'MSFT']), ...gaps.begin('NVDA')]).toHaveLength(3);
  gaps.onFrame([trade(1)]);
  expect(gaps.acknowledge(['MSFT'])).toEqual([]);
  const gap = { symbol: 'AAPL', from: trade(1).timestamp, to: AT + 1_000, reason: 'interrupted' };
  expect(gaps.acknowledge(['MSFT', 'AAPL'])).toEqual([gap]);
  expect(gaps.acknowledge(['*'])).toEqual([]);
  expect(gaps.begin('NVDA')).toEqual([]);
});

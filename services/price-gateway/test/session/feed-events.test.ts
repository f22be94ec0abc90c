// What the gateway makes of the events of a feed: plausible values only, whatever the feed.

import type { Price } from 'tickbus';
import { expect, it } from 'vitest';
import { InstrumentTracker } from '../../demand/instrument-tracker.ts';
import type { FeedEvent } from '../../feeds/feed.ts';
import { RateLimitedLog } from '../../monitoring/rate-limited-log.ts';
import { Counters } from '../../monitoring/stats.ts';
import { PriceBook } from '../../prices/price-book.ts';
import { FeedEvents, type FeedEventsOptions } from '../../session/feed-events.ts';
import { AT, quote, SILENT, trade } from '../gateway.fixture.ts';

/** The result of these events, of which some may be invalid. */
function apply(...events: object[]) {
  const prices: Price[] = [];
  const invalid: string[] = [];
  const counters = new Counters();
  let understood = 0;
  const options: FeedEventsOptions = {
    book: new PriceBook(),
    publisher: { publishPrice: (price) => prices.push(price) },
    instruments: new InstrumentTracker(),
    onStatusChange: () => {},
    onUnderstood: () => understood++,
    onInvalid: (reason) => invalid.push(reason),
    counters,
    warnings: new RateLimitedLog(SILENT),
  };
  new FeedEvents(options).apply(events as FeedEvent[]);
  return { prices, invalid, understood, dropped: counters.dropped };
}

const TIME =
  'timestamp of the trade of "AAPL" must be in Unix milliseconds, from the year 2000 to 2100, but was';

it.each([
  ['a price that is not a number', { price: Number.NaN }, 'price of the trade of "AAPL" must be a number'],
  [
    'an infinite price',
    { price: Number.POSITIVE_INFINITY },
    'price of the trade of "AAPL" must be at most 2^53 - 1',
  ],
  ['a missing price', { price: undefined }, 'but was undefined'],
  ['a price in text', { price: '1' }, 'price of the trade of "AAPL" must be'],
  ['a price that is a big integer', { price: 1n }, 'but was 1n'],
  ['a negative size', { size: -1 }, 'size of the trade of "AAPL" must be a number that is not negative'],
  ['a size that JSON has rounded', { size: 2 ** 53 }, 'size of the trade of "AAPL" must be at most 2^53 - 1'],
  ['seconds', { timestamp: AT / 1e3 }, `${TIME} ${AT / 1e3}, which looks like seconds.`],
  ['microseconds', { timestamp: AT * 1e3 }, `${TIME} ${AT * 1e3}, which looks like microseconds.`],
  ['nanoseconds', { timestamp: AT * 1e6 }, 'which looks like nanoseconds.'],
  ['no time', { timestamp: Number.NaN }, `${TIME} NaN.`],
  ['a symbol with a blank at its end', { symbol: 'AAPL ' }, 'symbol of a trade must be a string'],
  ['a byte order mark in a symbol', { symbol: '\uFEFFAAPL' }, 'symbol of a trade must be a string'],
  ['a symbol that is a number', { symbol: 7 }, 'but was 7.'],
  ['a symbol with two blanks in a row', { symbol: 'NIFTY  50' }, 'the symbol of a trade is malformed.'],
  ['conditions in text', { conditions: '@' }, 'conditions of the trade of "AAPL" must be a list'],
])('refuses %s, names the field and the value, and reads the next event', (_, fields, message) => {
  const { prices, invalid, understood, dropped } = apply({ ...trade(1), ...fields }, trade(2));
  expect(prices).toMatchObject([{ price: 2 }]);
  expect(invalid).toEqual([expect.stringContaining(message)]);
  expect({ understood, invalid: dropped.invalid }).toEqual({ understood: 1, invalid: 1 });
});

it('refuses a quote, a correction, a cancelled trade and a band in the same way', () => {
  const original = { price: 1, size: 2 };
  const { prices, invalid } = apply(
    { ...quote(1, 2), ask: undefined },
    { kind: 'correction', symbol: 'A', original, corrected: { price: 'x', size: 1 }, timestamp: AT },
    { kind: 'cancel', symbol: 'A', original, timestamp: AT / 1e3 },
    { kind: 'band', symbol: 'A', limit_up: '5', timestamp: AT },
  );
  expect(prices).toEqual([]);
  expect(invalid).toEqual([
    expect.stringContaining('ask of the quote of "AAPL" must be'),
    expect.stringContaining('corrected.price of the correction of "A" must be'),
    expect.stringContaining('timestamp of the cancel of "A" must be'),
    expect.stringContaining('limit_up of the band of "A" must be'),
  ]);
});

it('understands events that yield no price', () => {
  const { understood, dropped } = apply(
    trade(1),
    { ...trade(2), excluded_from: ['last'] },
    { ...trade(3), timestamp: AT - 1 },
    { kind: 'cancel', symbol: 'AAPL', original: { price: 9, size: 9 }, timestamp: AT },
  );
  expect(understood).toBe(4);
  expect(dropped).toMatchObject({ excluded: 1, late: 1, unmatched: 1, invalid: 0 });
});

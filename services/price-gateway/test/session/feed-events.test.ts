// What the gateway makes of the events of a feed: plausible values only, whatever the feed.

import type { Price } from 'tickbus';
import { ManualClock } from 'tickbus/testing';
import { expect, it } from 'vitest';
import { InstrumentTracker } from '../../demand/instrument-tracker.ts';
import type { FeedEvent } from '../../feeds/feed.ts';
import { RateLimitedLog } from '../../monitoring/rate-limited-log.ts';
import { Counters } from '../../monitoring/stats.ts';
import { PriceBook } from '../../prices/price-book.ts';
import { FeedEvents, type FeedEventsOptions } from '../../session/feed-events.ts';
import { AT, quote, SILENT, trade } from '../gateway.fixture.ts';

/** What is made of events, by a gateway with this clock. */
function observed(clock = new ManualClock(AT + 60_000)) {
  const prices: Price[] = [];
  const invalid: string[] = [];
  const counters = new Counters();
  let understood = 0;
  const book = new PriceBook(undefined, () => clock.now());
  const instruments = new InstrumentTracker(clock, () => book.venueNow);
  instruments.setRequested(['AAPL'], 1);
  instruments.acknowledge(['AAPL']);
  const options: FeedEventsOptions = {
    book,
    publisher: { publishPrice: (price) => prices.push(price) },
    instruments,
    onStatusChange: () => {},
    onUnderstood: () => {
      understood++;
    },
    onInvalid: (reason) => invalid.push(reason),
    counters,
    warnings: new RateLimitedLog(SILENT),
  };
  const events = new FeedEvents(options);
  return {
    events,
    apply: (...frame: object[]) => events.apply(frame as FeedEvent[]),
    prices,
    /** The status of AAPL, if it has changed. */
    status: () => instruments.takeChanges().at(-1),
    counts: () => ({ prices, invalid, understood, dropped: counters.dropped }),
  };
}

/** The result of these events, of which some may be invalid. */
function apply(...events: object[]) {
  const { apply, counts } = observed();
  apply(...events);
  return counts();
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

const BAND = { kind: 'band', symbol: 'AAPL', limit_down: 95, limit_up: 105, timestamp: AT };
const CLOSE = Date.UTC(2026, 0, 2, 21);

it.each([
  ['the venue', 0],
  ['a venue whose prices are delayed by 15 minutes', 15 * 60_000],
  ['a recording of another year', 365 * 86_400_000],
])('ends a price band at 16:00 in New York by the time of %s, without another message', async (_, lag) => {
  const clock = new ManualClock(AT + lag);
  const { events, apply, prices, status } = observed(clock);
  apply({ ...trade(100), timestamp: AT }, BAND, { ...quote(90, 101), timestamp: AT + 1 });
  expect(status()).toMatchObject({ limit_down: 95, limit_up: 105 });
  expect(prices.at(-1)).toMatchObject({ ask: 101 });
  expect(prices.at(-1)).not.toHaveProperty('bid');
  await clock.advance(CLOSE - AT - 10);
  events.endBands();
  expect(status()).toBeUndefined();
  await clock.advance(10);
  events.endBands();
  expect(status()).not.toHaveProperty('limit_up');
  expect(prices.at(-1)).toMatchObject({ bid: 90, ask: 101, cause: 'quote', timestamp: CLOSE });
  // It arrives late.
  apply({ ...BAND, timestamp: CLOSE - 1 });
  expect(status()).toBeUndefined();
});

it('does not take the time of a band that arrives late for that of the venue', async () => {
  const clock = new ManualClock(CLOSE - 10);
  const { events, apply, status } = observed(clock);
  apply({ ...trade(100), timestamp: CLOSE - 10 }, BAND);
  expect(status()).toMatchObject({ limit_up: 105 });
  await clock.advance(10);
  events.endBands();
  expect(status()).not.toHaveProperty('limit_up');
});

it('neither a band, a halt nor its end replaces a later one', () => {
  const { apply, status, counts } = observed(new ManualClock(AT + 60_000));
  const at = (event: object, timestamp: number) => apply({ symbol: 'AAPL', ...event, timestamp });
  at(BAND, AT + 10);
  at({ kind: 'halt', detail: 'T1' }, AT + 20);
  expect(status()).toMatchObject({ market: 'halted', halted_at: AT + 20, limit_up: 105 });
  at({ ...BAND, limit_up: 120 }, AT + 9);
  at({ kind: 'resume' }, AT + 19);
  expect(status()).toBeUndefined();
  at({ kind: 'resume' }, AT + 30);
  expect(status()).not.toHaveProperty('market');
  at({ kind: 'halt', detail: 'T1' }, AT + 20);
  expect(status()).toBeUndefined();
  expect(counts().dropped.late).toBe(3);
  // A venue can leave out the time.
  apply({ kind: 'halt', symbol: 'AAPL' });
  expect(status()).toMatchObject({ market: 'halted' });
});

it('ends a halt whose time was far in the future', () => {
  const { apply, status } = observed(new ManualClock(AT));
  apply({ kind: 'halt', symbol: 'AAPL', timestamp: AT + 36_000_000 });
  expect(status()).toMatchObject({ market: 'halted' });
  apply({ kind: 'resume', symbol: 'AAPL', timestamp: AT + 1 });
  expect(status()).not.toHaveProperty('market');
});

it.each([
  ['in seconds', { timestamp: AT / 1e3 }],
  ['of null', { timestamp: null }],
  ['of 1970', { timestamp: 0 }],
])('honours a halt and its end with a time %s, and names it', (_, fields) => {
  const { apply, status, counts } = observed();
  apply({ kind: 'halt', symbol: 'AAPL', detail: 'T1', ...fields });
  expect(status()).toMatchObject({ market: 'halted', detail: 'T1' });
  apply({ kind: 'resume', symbol: 'AAPL', ...fields });
  expect(status()).not.toHaveProperty('market');
  expect(counts().invalid).toEqual([
    expect.stringContaining('timestamp of the halt of "AAPL"'),
    expect.stringContaining('timestamp of the resume of "AAPL"'),
  ]);
});

it.each(['', 'x'.repeat(1_001), null])('honours a halt without a valid reason', (detail) => {
  const { apply, status } = observed();
  apply({ kind: 'halt', symbol: 'AAPL', detail, timestamp: AT });
  expect(status()).toMatchObject({ market: 'halted', halted_at: AT });
});

it('one event ahead of the others neither ends bands too early nor makes later halts late', async () => {
  const lag = 365 * 86_400_000;
  const clock = new ManualClock(AT + lag);
  const { events, apply, status } = observed(clock);
  const ahead = AT + lag + 3_600_000;
  apply({ ...trade(99), symbol: 'MSFT', timestamp: ahead });
  for (const ms of [0, 1, 2, 3]) apply({ ...trade(100), timestamp: AT + ms });
  apply({ kind: 'resume', symbol: 'AAPL', timestamp: ahead });
  apply({ ...BAND, timestamp: AT + 4 });
  events.endBands();
  expect(status()).toMatchObject({ limit_up: 105 });
  await clock.advance(2_000);
  apply({ kind: 'halt', symbol: 'AAPL', timestamp: AT + 2_000 });
  expect(status()).toMatchObject({ market: 'halted' });
  await clock.advance(CLOSE - AT);
  events.endBands();
  expect(status()).not.toHaveProperty('limit_up');
});

it('an older end does not end a halt after old trades, which tell little of the time at the venue', () => {
  const now = AT + 3_600_000;
  const { apply, status } = observed(new ManualClock(now));
  for (const ms of [0, 1, 2, 3]) apply({ ...trade(100), timestamp: AT + ms });
  apply({ kind: 'halt', symbol: 'AAPL', timestamp: now - 10 });
  expect(status()).toMatchObject({ market: 'halted', halted_at: now - 10 });
  apply({ kind: 'resume', symbol: 'AAPL', timestamp: now - 20 }, { ...trade(101), timestamp: now - 15 });
  expect(status()).toBeUndefined();
  apply({ ...trade(102), timestamp: now - 5 });
  expect(status()).not.toHaveProperty('market');
});

it('honours the events of a recording that begins again', () => {
  const { events, apply, status, prices } = observed(new ManualClock(AT + 60_000));
  const recording = [trade(100), BAND, { kind: 'halt', symbol: 'AAPL', timestamp: AT + 20 }];
  apply(...recording, { kind: 'resume', symbol: 'AAPL', timestamp: AT + 30 });
  expect(status()).toMatchObject({ limit_up: 105 });
  events.forgetAll();
  expect(status()).not.toHaveProperty('limit_up');
  apply(...recording);
  expect(status()).toMatchObject({ limit_up: 105, market: 'halted' });
  expect(prices).toHaveLength(2);
});

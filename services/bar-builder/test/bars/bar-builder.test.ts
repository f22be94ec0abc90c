// The rules for single trades: exclusions, what cannot be revised, and what is in no bar.

import type { Trade } from 'tickbus';
import { beforeEach, expect, it } from 'vitest';
import { BarBuilder } from '../../bars/bar-builder.ts';
import { ALL_DAY, Calendar, type SessionHours } from '../../intervals/calendar.ts';
import { type Interval, parseInterval } from '../../intervals/interval.ts';

/** 2026-01-02 15:30 UTC. */
const START = Date.UTC(2026, 0, 2, 15, 30);
const REVISE_MS = 120_000;

let builder: BarBuilder;

function build(hours: SessionHours = ALL_DAY): BarBuilder {
  const created = new BarBuilder({
    intervals: [parseInterval('1m') as Interval],
    calendar: new Calendar('UTC', hours),
    graceMs: 500,
    reviseMs: REVISE_MS,
  });
  created.start(START);
  return created;
}

beforeEach(() => {
  builder = build();
});

/** The clocks of the venue, the server and the builder agree. @param after milliseconds after `START` */
function trade(after: number, price: number, more: Partial<Trade> = {}): void {
  const arrival = { monotonic: after, at: START + after };
  builder.trade({ symbol: 'AAPL', price, size: 1, timestamp: START + after, ...more }, arrival);
}

it('builds a bar when the grace is over, by a later trade of any instrument or by the clock', () => {
  trade(10_000, 10);
  expect(builder.takeDue(60_499)).toEqual([]);
  trade(60_100, 11, { symbol: 'MSFT' });
  expect(builder.takeDue(60_499)).toEqual([]);
  expect(builder.takeDue(60_500)).toEqual([
    {
      symbol: 'AAPL',
      interval: '1m',
      start: START,
      end: START + 60_000,
      prices: { open: 10, high: 10, low: 10, close: 10 },
      volume: 1,
      trades: 1,
      vwap: 10,
      complete: true,
    },
  ]);
  // It is built once, and silent minutes have no bar.
  expect(builder.takeDue(119_000)).toEqual([]);
  expect(builder.takeDue(600_000)).toMatchObject([{ symbol: 'MSFT' }]);
});

it('honours what a trade is excluded from', () => {
  trade(0, 10);
  trade(1_000, 99, { excluded_from: ['high_low'] });
  trade(2_000, 1, { excluded_from: ['last'] });
  trade(3_000, 12, { size: 5, excluded_from: ['volume'] });
  trade(4_000, 500, { size: 9, excluded_from: ['last', 'high_low', 'volume'] });
  expect(builder.takeDue(70_000)).toMatchObject([
    {
      prices: { open: 10, high: 12, low: 1, close: 12 },
      volume: 3,
      trades: 3,
      vwap: expect.closeTo(110 / 3, 10),
    },
  ]);
});

it('has no prices if no trade updates the last price', () => {
  trade(0, 10, { excluded_from: ['last'] });
  expect(builder.takeDue(70_000)).toMatchObject([{ prices: undefined }]);
});

it('counts what is too late, unknown, repeated, outside the session or ahead of the clock', () => {
  builder = build({ open: 0, close: START - Date.UTC(2026, 0, 2) + 3_600_000 });
  trade(0, 10, { trade_id: 'a' });
  trade(0, 10, { trade_id: 'a' });
  builder.cancel({ symbol: 'AAPL', timestamp: START, original: { trade_id: 'b', price: 10, size: 1 } });
  builder.trade(
    { symbol: 'AAPL', price: 1, size: 1, timestamp: START + 90_000 },
    { monotonic: 0, at: START },
  );
  trade(200_000, 11);
  trade(200_001, 12, { timestamp: START + 200_000 - REVISE_MS - 1, late: true });
  builder.takeDue(200_001);
  builder.settle(200_001);
  builder.cancel({
    symbol: 'AAPL',
    timestamp: START,
    original: { trade_id: 'a', price: 10, size: 1, timestamp: START },
  });
  trade(4_000_000, 13);
  expect(builder.ignored).toEqual({
    outsideSession: 1,
    tooLate: 2,
    unknown: 1,
    ahead: 1,
    repeated: 1,
    leftOut: 0,
  });
});

it('takes no trade back that has only the identifier in common with the cancelled one, of another exchange', () => {
  trade(0, 10, { trade_id: 'a' });
  const cancelled = (price: number) =>
    builder.cancel({ symbol: 'AAPL', timestamp: START, original: { trade_id: 'a', price, size: 1 } });
  cancelled(11);
  expect(builder.ignored.unknown).toBe(1);
  expect(builder.takeDue(70_000)).toMatchObject([{ trades: 1 }]);
  const original = { trade_id: 'a', price: 10, size: 1 };
  const corrected = { price: 9, size: 1, timestamp: START };
  builder.correct({ symbol: 'AAPL', timestamp: START, original, corrected });
  expect(builder.takeDue(70_001)).toMatchObject([{ trades: 1, prices: { close: 9 } }]);
  // The venue names the trade as it was first.
  cancelled(10);
  expect(builder.takeDue(70_002)).toMatchObject([{ trades: 0 }]);
});

it('does not change a trade that is too old, whether or not it was settled', () => {
  trade(0, 10, { trade_id: 'a' });
  trade(REVISE_MS + 1, 11);
  const original = { trade_id: 'a', price: 10, size: 1, timestamp: START };
  builder.cancel({ symbol: 'AAPL', timestamp: START, original });
  const corrected = { price: 9, size: 1, timestamp: START + REVISE_MS };
  builder.correct({ symbol: 'AAPL', timestamp: START, original, corrected });
  expect(builder.ignored.tooLate).toBe(2);
});

it('a bar that began before the builder, or contains a gap, is incomplete', () => {
  builder = build();
  trade(-10_000, 10);
  trade(50_000, 11);
  trade(61_000, 11);
  builder.gap(70_000);
  trade(130_000, 12);
  trade(180_000, 12);
  trade(250_000, 12);
  const complete = builder
    .takeDue(250_500)
    .map(({ start, complete }) => [(start - START) / 60_000, complete]);
  expect(complete).toEqual([
    [-1, false],
    [0, true],
    [1, false],
    [2, false],
    [3, true],
  ]);
});

it('a gap that is reported later makes a bar incomplete that was built', () => {
  trade(0, 10);
  trade(59_800, 10);
  expect(builder.takeDue(60_500)).toMatchObject([{ complete: true }]);
  builder.gap(61_000);
  expect(builder.takeDue(61_000)).toMatchObject([{ complete: false }]);
});

it('a gap of one instrument makes no bar of another incomplete', () => {
  trade(0, 10);
  trade(1_000, 20, { symbol: 'MSFT' });
  // Nothing is known of what happened before.
  builder.gap(2_000, { symbol: 'TSLA' });
  builder.gap(3_000, { symbol: 'MSFT', from: START + 2_500 });
  trade(4_000, 11);
  trade(5_000, 30, { symbol: 'TSLA' });
  trade(61_000, 31, { symbol: 'TSLA' });
  trade(61_000, 21, { symbol: 'MSFT' });
  const built = builder.takeDue(200_000).map(({ symbol, start, complete }) => {
    return [symbol, (start - START) / 60_000, complete];
  });
  expect(built).toEqual([
    ['AAPL', 0, true],
    ['MSFT', 0, false],
    ['TSLA', 0, false],
    ['MSFT', 1, true],
    ['TSLA', 1, true],
  ]);
});

it('a gap of one instrument begins when its trades were last known, also in bars that were built', () => {
  trade(10_000, 10);
  trade(10_000, 20, { symbol: 'MSFT' });
  trade(130_000, 10);
  expect(builder.takeDue(130_000)).toMatchObject([
    { symbol: 'AAPL', complete: true },
    { symbol: 'MSFT', complete: true },
  ]);
  // Nobody requested MSFT for two minutes.
  builder.gap(131_000, { symbol: 'MSFT', from: START + 15_000 });
  expect(builder.takeDue(131_000)).toMatchObject([{ symbol: 'MSFT', start: START, complete: false }]);
});

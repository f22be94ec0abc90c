// Random late trades, corrections, cancels and gaps: the bars equal those that brute force computes from the final
// trades, and a bar that says that it is complete has all its trades.

import { Random } from '@tickbus/test-kit/random';
import { expect, it } from 'vitest';
import { BarBuilder, type BuiltBar } from '../../bars/bar-builder.ts';
import { ALL_DAY, Calendar } from '../../intervals/calendar.ts';
import { type Interval, parseInterval } from '../../intervals/interval.ts';
import {
  type ExpectedBar,
  feed,
  isSame,
  MARKET_START,
  RandomMarket,
  recomputed,
} from './random-market.fixture.ts';

const NAMES = ['1s', '5s', '1m', '1h', '1d'];
const LENGTHS_MS = [1_000, 5_000, 60_000, 3_600_000, 86_400_000];
const INTERVALS = NAMES.map((name) => parseInterval(name) as Interval);
const REVISE_MS = 300_000;
const GRACE_MS = 500;
const SEED = Math.floor(Math.random() * 2 ** 31);
const RUNS = 12;
const TIMEOUT_MS = 300_000;

/** The last state of every bar, by `INTERVAL/SYMBOL/start`. */
class Bars {
  readonly last = new Map<string, BuiltBar>();
  readonly builder: BarBuilder;

  constructor(maxTrades?: number) {
    this.builder = new BarBuilder({
      intervals: INTERVALS,
      calendar: new Calendar('UTC', ALL_DAY),
      graceMs: GRACE_MS,
      reviseMs: REVISE_MS,
      ...(maxTrades !== undefined && { maxTrades }),
    });
  }

  take(monotonic: number): void {
    for (const bar of this.builder.takeDue(monotonic))
      this.last.set(`${bar.interval}/${bar.symbol}/${bar.start}`, bar);
    this.builder.settle(monotonic);
  }
}

function expectedBars(market: RandomMarket): ReadonlyMap<string, ExpectedBar> {
  return new Map(
    NAMES.flatMap((name, index) =>
      [...recomputed(market.trades, LENGTHS_MS[index] ?? 0)].map(
        ([key, bar]) => [`${name}/${key}`, bar] as const,
      ),
    ),
  );
}

function expectAllSame(
  bars: Bars,
  market: RandomMarket,
  mayDiffer: (bar: BuiltBar | undefined) => boolean,
): void {
  const expected = expectedBars(market);
  for (const key of new Set([...bars.last.keys(), ...expected.keys()])) {
    const built = bars.last.get(key);
    if (!mayDiffer(built) && !isSame(built, expected.get(key)))
      expect({ key, built }).toEqual({ key, built: expected.get(key) });
  }
}

it(`without gaps, all bars equal those of the final trades, seed ${SEED}`, { timeout: TIMEOUT_MS }, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new Random(SEED + run);
    const market = new RandomMarket(random, { messages: 1_500, maxLateMs: REVISE_MS / 2, changes: 15 });
    const bars = new Bars();
    bars.builder.start(MARKET_START);
    for (const message of market.messages()) {
      const monotonic = market.now - MARKET_START;
      feed(bars.builder, message, { monotonic, at: market.now });
      if (random.percent(30)) bars.take(monotonic);
    }
    bars.take(market.now - MARKET_START + 2 * 86_400_000);
    expectAllSame(bars, market, () => false);
    expect(bars.builder.ignored).toMatchObject({ tooLate: 0, unknown: 0, ahead: 0, repeated: 0, leftOut: 0 });
    // All trades since the start are known. Bars that began before it are the only incomplete ones.
    const incomplete = [...bars.last.values()].filter(
      ({ complete, start }) => !complete && start >= MARKET_START,
    );
    expect(incomplete).toEqual([]);
  }
});

it(`a bar that is complete has all its trades, whatever was lost, seed ${SEED}`, {
  timeout: TIMEOUT_MS,
}, () => {
  let incomplete = 0;
  let total = 0;
  for (let run = 0; run < RUNS; run++) {
    const random = new Random(SEED + run);
    const market = new RandomMarket(random, { messages: 1_500, maxLateMs: GRACE_MS, changes: 0 });
    const bars = new Bars();
    bars.builder.start(MARKET_START);
    let lose = 0;
    for (const message of market.messages()) {
      const monotonic = market.now - MARKET_START;
      if (lose > 0) {
        if (--lose === 0) bars.builder.gap(monotonic);
      } else {
        feed(bars.builder, message, { monotonic, at: market.now });
        if (random.percent(2)) lose = random.int(1, 20);
      }
      if (random.percent(30)) bars.take(monotonic);
    }
    if (lose > 0) bars.builder.gap(market.now - MARKET_START);
    bars.take(market.now - MARKET_START + 2 * 86_400_000);
    expectAllSame(bars, market, (bar) => bar === undefined || !bar.complete);
    total += bars.last.size;
    incomplete += [...bars.last.values()].filter(({ complete }) => !complete).length;
  }
  // A builder that never says "complete" would pass the check above.
  expect(incomplete).toBeGreaterThan(0);
  expect(incomplete).toBeLessThan(total / 2);
});

it(`with little memory, bars stay right and what cannot be changed any more is counted, seed ${SEED}`, {
  timeout: TIMEOUT_MS,
}, () => {
  const random = new Random(SEED);
  const market = new RandomMarket(random, { messages: 3_000, maxLateMs: GRACE_MS / 2, changes: 0 });
  const bars = new Bars(100);
  bars.builder.start(MARKET_START);
  for (const message of market.messages()) {
    feed(bars.builder, message, { monotonic: market.now - MARKET_START, at: market.now });
    bars.take(market.now - MARKET_START);
  }
  bars.take(market.now - MARKET_START + 2 * 86_400_000);
  expect(bars.builder.settledEarly).toBeGreaterThan(1_000);
  expect(bars.builder.ignored.tooLate).toBe(0);
  expectAllSame(bars, market, () => false);
});

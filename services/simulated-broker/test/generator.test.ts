// Generated prices: reproducible, plausible, at the requested rate.

import type { MarketEvent } from '@tickbus/capture';
import { expect, it } from 'vitest';
import { createGenerator, createRandomWalk, DEFAULT_SYMBOLS } from '../sources/generator.ts';

function walk(seed: number, count: number): MarketEvent[] {
  const next = createRandomWalk(DEFAULT_SYMBOLS, seed);
  return Array.from({ length: count }, (_, at) => next(at));
}

it('generates the same events for the same seed, and different ones for another', () => {
  expect(walk(42, 1_000)).toEqual(walk(42, 1_000));
  expect(walk(42, 1_000)).not.toEqual(walk(43, 1_000));
});

it('generates quotes and trades of every symbol, in whole cents, with the bid below the ask', () => {
  const events = walk(5, 20_000);
  for (const kind of ['quote', 'trade']) {
    const symbols = new Set(events.filter((event) => event.kind === kind).map(({ symbol }) => symbol));
    expect([...symbols].sort()).toEqual([...DEFAULT_SYMBOLS].sort());
  }
  const prices = events.flatMap((event) => (event.kind === 'trade' ? [event.price] : [event.bid, event.ask]));
  expect(Math.min(...prices)).toBeGreaterThan(1);
  expect(prices.every((price) => Number(price.toFixed(2)) === price)).toBe(true);
  expect(events.every((event) => event.kind === 'trade' || event.bid < event.ask)).toBe(true);
});

it('keeps its rate without drift, with several events per batch', async () => {
  const rate = 5_000;
  const start = performance.now();
  const lags: number[] = [];
  let made = 0;
  for await (const batch of createGenerator({ rate, seed: 1 }).batches(new AbortController().signal)) {
    made += batch.length;
    lags.push(((performance.now() - start) * rate) / 1000 - made);
    if (made >= 2_000) break;
  }
  expect(made / lags.length).toBeGreaterThan(10);
  expect(Math.min(...lags)).toBeGreaterThan(-1);
  // Each tick delivers all due events, so delays do not accumulate: the lag is still small at the end of the run. The
  // test uses the smallest of several values, because a busy machine can pause the test between two statements.
  expect(Math.min(...lags.slice(-10))).toBeLessThan(rate / 200);
});

it('catches up after the process was blocked, in batches of bounded size', async () => {
  const sizes: number[] = [];
  for await (const batch of createGenerator({ rate: 20_000, seed: 1 }).batches(
    new AbortController().signal,
  )) {
    sizes.push(batch.length);
    if (sizes.length === 1) block(100);
    if (sizes.reduce((sum, size) => sum + size, 0) >= 2_000) break;
  }
  expect(Math.max(...sizes)).toBe(500);
});

it('ends with the signal', async () => {
  const stop = new AbortController();
  const batches = createGenerator({ rate: 1 }).batches(stop.signal)[Symbol.asyncIterator]();
  const next = batches.next();
  stop.abort();
  await expect(next).rejects.toThrow();
});

it('rejects an invalid rate and an empty list of symbols', () => {
  expect(() => createGenerator({ rate: 0 })).toThrow('rate must be from 0.01');
  expect(() => createGenerator({ symbols: [] })).toThrow('at least one symbol');
});

/** Blocks the event loop. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

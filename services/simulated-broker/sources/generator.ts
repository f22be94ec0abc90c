// A price source that generates prices: a seeded random walk of quotes and trades.

import { setImmediate, setTimeout } from 'node:timers/promises';
import type { MarketEvent } from '@tickbus/capture';
import { withIncidents } from './incidents.ts';
import type { PriceSource } from './price-source.ts';
import { createRandom } from './random-sequence.ts';

export interface GeneratorOptions {
  /** Default: AAPL, MSFT, TSLA, NVDA, SPY. */
  readonly symbols?: readonly string[];
  /** Events per second over all symbols, from 0.01 to 100,000; default 20. */
  readonly rate?: number;
  /** The same seed and symbols produce the same events, except for timestamps; default 1. */
  readonly seed?: number;
  /**
   * Also generates what is rare: sale conditions, corrected and cancelled trades, halts, price bands, and empty sides
   * of quotes. Changes of trades, halts and bands come in addition to `rate`. Default false.
   */
  readonly incidents?: boolean;
}

export const DEFAULT_SYMBOLS: readonly string[] = ['AAPL', 'MSFT', 'TSLA', 'NVDA', 'SPY'];

/**
 * A price source with a constant rate. The number of due events is computed from the start, so late timers cause no
 * drift. Ticks are at least 10 ms apart; the events due at a tick form one batch, or several past `MAX_BATCH` events.
 *
 * @throws RangeError if there is no symbol or the rate is out of range
 */
export function createGenerator(options: GeneratorOptions = {}): PriceSource {
  const { symbols = DEFAULT_SYMBOLS, rate = 20, seed = 1, incidents = false } = options;
  if (symbols.length === 0) throw new RangeError('The generator needs at least one symbol.');
  if (!(rate >= 0.01 && rate <= 100_000)) {
    throw new RangeError(
      `The generator's rate must be from 0.01 to 100,000 events a second, but it is ${rate}.`,
    );
  }
  return {
    symbols,
    async *batches(signal) {
      const walk = createRandomWalk(symbols, seed);
      const next = incidents ? withIncidents(walk, seed) : (timestamp: number) => [walk(timestamp)];
      const start = performance.now();
      for (let made = 0; ; ) {
        signal.throwIfAborted();
        const due = Math.floor(((performance.now() - start) * rate) / 1000) - made;
        const timestamp = Date.now();
        const count = Math.min(due, MAX_BATCH);
        const batch = Array.from({ length: count }, () => next(timestamp)).flat();
        made += count;
        if (batch.length > 0) yield batch;
        if (due > MAX_BATCH) await setImmediate();
        else await setTimeout(msUntilNext(made, rate, start), undefined, { signal });
      }
    },
  };
}

/**
 * A random walk: each call returns the next event of a random symbol. On average, three of four events are quotes.
 * Prices are whole cents and stay above 1. The bid is always below the ask. A trade is at the bid or at the ask.
 */
export function createRandomWalk(
  symbols: readonly string[],
  seed: number,
): (timestamp: number) => MarketEvent {
  const random = createRandom(seed);
  const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
  const markets = symbols.map((symbol) => ({ symbol, cents: whole(5_000, 50_000) }));
  return (timestamp) => {
    const market = markets[whole(0, markets.length - 1)];
    if (market === undefined) throw new Error('A random walk needs at least one symbol.');
    const { symbol } = market;
    const step = Math.max(1, Math.round(market.cents * MAX_STEP));
    market.cents = Math.max(MIN_CENTS, market.cents + whole(-step, step));
    const bid = (market.cents - whole(1, 3)) / 100;
    const ask = (market.cents + whole(0, 2)) / 100;
    if (random() < TRADE_SHARE) {
      return { kind: 'trade', symbol, price: random() < 0.5 ? bid : ask, size: whole(1, 500), timestamp };
    }
    return { kind: 'quote', symbol, bid, bid_size: whole(1, 20), ask, ask_size: whole(1, 20), timestamp };
  };
}

const TICK_MS = 10;
/** Limits one frame to about 64 KiB of JSON after the process was blocked. */
const MAX_BATCH = 500;
const TRADE_SHARE = 0.25;
/** Maximum change of one event, as a fraction of the price. */
const MAX_STEP = 0.0005;
const MIN_CENTS = 200;

function msUntilNext(made: number, rate: number, start: number): number {
  const due = start + ((made + 1) * 1000) / rate;
  return Math.max(TICK_MS, due - performance.now());
}

// A random market: trades in and out of order, corrections and cancels. Computes the bars of its final trades by brute
// force.

import type { Random } from '@tickbus/test-kit/random';
import type { Trade, TradeCancel, TradeCorrection } from 'tickbus';
import type { Arrival, BarBuilder, BuiltBar } from '../../bars/bar-builder.ts';

export type MarketMessage =
  | { readonly type: 'trade'; readonly data: Trade }
  | { readonly type: 'correction'; readonly data: TradeCorrection }
  | { readonly type: 'cancel'; readonly data: TradeCancel };

export interface MarketOptions {
  readonly messages: number;
  /** The maximum milliseconds by which a trade is late. */
  readonly maxLateMs: number;
  /** In percent of the messages. */
  readonly changes: number;
  /** Corrections that move a trade to another time, in percent. Default 20. */
  readonly moves?: number;
}

/** A trade as it is after all corrections, and where it stands in the order of publication. */
export interface FinalTrade extends Trade {
  readonly order: number;
}

/** 2026-03-05 14:59:57 UTC, so that seconds, minutes and an hour end soon. */
export const MARKET_START = Date.UTC(2026, 2, 5, 14, 59, 57);

type Excluded = NonNullable<Trade['excluded_from']>;

const SYMBOLS = ['AAPL', 'BRK.B', 'BTC/USD'] as const;
const EXCLUSIONS: readonly [Excluded, ...Excluded[]] = [
  ['last'],
  ['high_low'],
  ['volume'],
  ['last', 'high_low'],
  ['last', 'high_low', 'volume'],
];

export class RandomMarket {
  /** The trades that are left, as the venue has them. */
  readonly trades: FinalTrade[] = [];
  now = MARKET_START;
  readonly #random: Random;
  readonly #options: MarketOptions;
  readonly #used = new Set<string>();
  #newest = 0;
  #order = 0;

  constructor(random: Random, options: MarketOptions) {
    this.#random = random;
    this.#options = options;
  }

  *messages(): Generator<MarketMessage> {
    for (let count = 0; count < this.#options.messages; count++) {
      this.now += this.#random.percent(5) ? this.#random.int(1_000, 90_000) : this.#random.int(0, 400);
      yield this.#next();
    }
  }

  #next(): MarketMessage {
    const isChange = this.#random.percent(this.#options.changes);
    const index = this.trades.length === 0 ? -1 : this.#random.int(0, this.trades.length - 1);
    const trade = this.trades[index];
    const isRecent = trade !== undefined && trade.timestamp > this.now - this.#options.maxLateMs;
    if (!isChange || !isRecent) return this.#trade();
    const { symbol, trade_id, price, size, timestamp } = trade;
    const original = { ...(trade_id !== undefined && { trade_id }), price, size, timestamp };
    if (this.#random.percent(50)) {
      this.trades.splice(index, 1);
      return { type: 'cancel', data: { symbol, timestamp: this.now, original } };
    }
    const isMoved = this.#random.percent(this.#options.moves ?? 20);
    const time = isMoved ? this.#time() : timestamp;
    const corrected = { ...this.#values(symbol, time), timestamp: time };
    const id =
      trade_id === undefined ? {} : { trade_id: this.#random.percent(50) ? `${trade_id}c` : trade_id };
    this.trades[index] = { symbol, ...id, ...corrected, order: trade.order };
    return {
      type: 'correction',
      data: { symbol, timestamp: this.now, original, corrected: { ...id, ...corrected } },
    };
  }

  #trade(): MarketMessage {
    const order = this.#order++;
    const id = this.#random.percent(70) ? { trade_id: `t${order}` } : {};
    const timestamp = this.#time();
    const symbol = this.#random.pick(SYMBOLS);
    const data = { symbol, ...id, ...this.#values(symbol, timestamp), timestamp };
    const isLate = timestamp < this.#newest;
    this.#newest = Math.max(this.#newest, timestamp);
    this.trades.push({ ...data, order });
    return { type: 'trade', data: { ...data, ...(isLate && { late: true }) } };
  }

  #time(): number {
    const isLate = this.#random.percent(20);
    return this.now - (isLate ? this.#random.int(0, this.#options.maxLateMs) : 0);
  }

  /** No two trades are equal: without an identifier, nobody could tell which of them the venue cancels. */
  #values(symbol: string, timestamp: number): Pick<Trade, 'price' | 'size' | 'excluded_from'> {
    const [price, size] = [this.#random.int(9_950, 10_050) / 100, this.#random.int(0, 500) / 10];
    const text = [symbol, timestamp, price, size].join('/');
    if (this.#used.has(text)) return this.#values(symbol, timestamp);
    this.#used.add(text);
    if (!this.#random.percent(20)) return { price, size };
    return { price, size, excluded_from: this.#random.pick(EXCLUSIONS) };
  }
}

export function feed(builder: BarBuilder, message: MarketMessage, arrival: Arrival): void {
  if (message.type === 'trade') builder.trade(message.data, arrival);
  else if (message.type === 'correction') builder.correct(message.data);
  else builder.cancel(message.data);
}

export interface ExpectedBar {
  readonly prices: { open: number; high: number; low: number; close: number } | undefined;
  readonly volume: number;
  readonly trades: number;
  readonly turnover: number;
}

/** The bars of one length that begins at 00:00 UTC, by `SYMBOL/start`. */
export function recomputed(
  trades: readonly FinalTrade[],
  lengthMs: number,
): ReadonlyMap<string, ExpectedBar> {
  return new Map([...grouped(trades, lengthMs)].map(([key, group]) => [key, barOf(group)]));
}

function grouped(trades: readonly FinalTrade[], lengthMs: number): Map<string, FinalTrade[]> {
  const groups = new Map<string, FinalTrade[]>();
  for (const trade of trades) {
    const key = `${trade.symbol}/${Math.floor(trade.timestamp / lengthMs) * lengthMs}`;
    groups.set(key, [...(groups.get(key) ?? []), trade]);
  }
  return groups;
}

function barOf(group: readonly FinalTrade[]): ExpectedBar {
  const sorted = group.toSorted((a, b) => a.timestamp - b.timestamp || a.order - b.order);
  const counting = (what: 'last' | 'high_low' | 'volume') =>
    sorted.filter(({ excluded_from = [] }) => !excluded_from.includes(what));
  const [last, range, volume] = [counting('last'), counting('high_low'), counting('volume')];
  const [open, close] = [last[0]?.price, last.at(-1)?.price];
  const extremes = (range.length > 0 ? range : [last[0], last.at(-1)]).map((trade) => trade?.price ?? 0);
  return {
    prices:
      open === undefined || close === undefined
        ? undefined
        : { open, close, high: Math.max(...extremes), low: Math.min(...extremes) },
    volume: volume.reduce((sum, { size }) => sum + size, 0),
    turnover: volume.reduce((sum, { size, price }) => sum + size * price, 0),
    trades: volume.length,
  };
}

/** Whether a bar that was built has the values of the expected one, except for the rounding of sums. */
export function isSame(built: BuiltBar | undefined, expected: ExpectedBar | undefined): boolean {
  if (built?.prices === undefined || expected?.prices === undefined)
    return built?.prices === expected?.prices;
  const { open, high, low, close } = built.prices;
  const { prices } = expected;
  const isNear = (a = 0, b = 0) => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a));
  return (
    open === prices.open &&
    high === prices.high &&
    low === prices.low &&
    close === prices.close &&
    built.trades === expected.trades &&
    isNear(built.volume, expected.volume) &&
    (built.vwap === undefined) === (expected.volume === 0) &&
    isNear(built.vwap, expected.volume === 0 ? 0 : expected.turnover / expected.volume)
  );
}

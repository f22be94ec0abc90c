// Finds what is new in the states that ccxt keeps, and tells it as market events.

import type { MarketEvent, QuoteEvent, TradeEvent } from '@tickbus/capture';
import type { CcxtTicker, CcxtTrade } from './ccxt-library.ts';

/**
 * ccxt wakes its caller with one symbol's news; those of the others that came with it, it only keeps. So its states are
 * looked at, and compared with what was told of each symbol before: the newest of every symbol is told, and nothing twice.
 */
export class CcxtChangeDetector {
  readonly #lastQuotes = new Map<string, string>();
  readonly #lastPrices = new Map<string, number>();
  readonly #lastTrades = new Map<string, CcxtTrade>();

  /** A last trade with another price, then a quote that differs in any way. Sizes and times that are not told are 0 and now. */
  tickerEvents(symbol: string, ticker: CcxtTicker): MarketEvent[] {
    return [this.#changedLast(symbol, ticker), this.#changedQuote(symbol, ticker)].filter(
      (event) => event !== undefined,
    );
  }

  /** The trades behind the last one that was told, of the list that the library keeps. */
  tradeEvents(symbol: string, trades: readonly CcxtTrade[]): MarketEvent[] {
    const told = this.#lastTrades.get(symbol);
    const news = told === undefined ? trades : trades.slice(trades.lastIndexOf(told) + 1);
    const newest = news.at(-1);
    if (newest !== undefined) this.#lastTrades.set(symbol, newest);
    return news.map(({ price = Number.NaN, amount = 0, timestamp }) =>
      toTrade(symbol, price, amount, timestamp),
    );
  }

  #changedLast(symbol: string, { last, timestamp }: CcxtTicker): TradeEvent | undefined {
    if (last === undefined || last === this.#lastPrices.get(symbol)) return undefined;
    this.#lastPrices.set(symbol, last);
    return toTrade(symbol, last, 0, timestamp);
  }

  #changedQuote(symbol: string, ticker: CcxtTicker): QuoteEvent | undefined {
    const { bid = 0, bidVolume = 0, ask = 0, askVolume = 0, timestamp } = ticker;
    if (ticker.bid === undefined && ticker.ask === undefined) return undefined;
    const state = `${bid} ${bidVolume} ${ask} ${askVolume} ${timestamp}`;
    if (state === this.#lastQuotes.get(symbol)) return undefined;
    this.#lastQuotes.set(symbol, state);
    return {
      kind: 'quote',
      symbol,
      bid,
      bid_size: bidVolume,
      ask,
      ask_size: askVolume,
      timestamp: timestamp ?? Date.now(),
    };
  }
}

function toTrade(symbol: string, price: number, size: number, timestamp: number | undefined): TradeEvent {
  return { kind: 'trade', symbol, price, size, timestamp: timestamp ?? Date.now() };
}

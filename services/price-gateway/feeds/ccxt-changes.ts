// Finds the changes in the state that ccxt keeps, and returns them as market events.

import type { MarketEvent, QuoteEvent, TradeEvent } from '@tickbus/capture';
import type { CcxtTicker, CcxtTrade } from './ccxt-library.ts';

/**
 * A watch call of ccxt returns the update of one symbol. Updates of other symbols in the same frame are only stored.
 * So the detector compares the stored state of each symbol with the last reported one. It reports the newest state of
 * every symbol, and no state twice.
 */
export class CcxtChangeDetector {
  readonly #lastQuotes = new Map<string, string>();
  readonly #lastPrices = new Map<string, number>();
  readonly #lastTrades = new Map<string, CcxtTrade>();
  readonly #isQuote: boolean;
  readonly #quoted: Set<string>;

  /**
   * A side that is undefined is a side without orders: ccxt also leaves out a price of zero, and it merges the partial
   * tickers of a venue. But tickers of some venues never have sides (ccxt's Manual, "Notes On Ticker Structure"): those
   * say nothing about the book.
   *
   * @param isQuote whether the library returns the top of the book, which always has its sides
   * @param quoted the symbols of which a ticker had a side, of all connections of the session; grows here
   */
  constructor(isQuote: boolean, quoted: Set<string>) {
    this.#isQuote = isQuote;
    this.#quoted = quoted;
  }

  /**
   * Returns a trade if the last price has changed, then a quote if the quote has changed. A missing size becomes 0, a
   * missing timestamp the current time.
   */
  tickerEvents(symbol: string, ticker: CcxtTicker): MarketEvent[] {
    return [this.#changedLast(symbol, ticker), this.#changedQuote(symbol, ticker)].filter(
      (event) => event !== undefined,
    );
  }

  /** The trades after the last reported one, in the list that the library keeps. */
  tradeEvents(symbol: string, trades: readonly CcxtTrade[]): MarketEvent[] {
    const lastReported = this.#lastTrades.get(symbol);
    const added = lastReported === undefined ? trades : trades.slice(trades.lastIndexOf(lastReported) + 1);
    const newest = added.at(-1);
    if (newest !== undefined) this.#lastTrades.set(symbol, newest);
    return added.map(({ id, side, price, amount, timestamp }) => ({
      // The gateway checks the price, which can be missing.
      ...toTrade(symbol, price as number, amount ?? 0, timestamp),
      ...(typeof id === 'string' && id !== '' && { trade_id: id }),
      ...((side === 'buy' || side === 'sell') && { taker_side: side }),
    }));
  }

  #changedLast(symbol: string, { last, timestamp }: CcxtTicker): TradeEvent | undefined {
    if (last === undefined || last === this.#lastPrices.get(symbol)) return undefined;
    this.#lastPrices.set(symbol, last);
    return toTrade(symbol, last, 0, timestamp);
  }

  #changedQuote(symbol: string, ticker: CcxtTicker): QuoteEvent | undefined {
    const { bid = 0, bidVolume = 0, ask = 0, askVolume = 0, timestamp } = ticker;
    if (ticker.bid !== undefined || ticker.ask !== undefined) this.#quoted.add(symbol);
    if (!this.#isQuote && !this.#quoted.has(symbol)) return undefined;
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

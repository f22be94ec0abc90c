// Watches a fixed set of instruments on one ccxt exchange, until it fails or is closed.

import type { MarketEvent } from '@tickbus/capture';
import { CcxtChangeDetector } from './ccxt-changes.ts';
import { codeOf, failureOf, isAboutSymbols, messageOf } from './ccxt-errors.ts';
import type { CcxtExchange, CcxtLibrary, CcxtMethod } from './ccxt-library.ts';
import type { Refusal } from './feed.ts';
import type { SessionFailure } from './session-feed.ts';

export interface CcxtWatchOptions {
  readonly library: CcxtLibrary;
  /** An exchange with loaded markets. `CcxtWatch.close` closes it. */
  readonly exchange: CcxtExchange;
  readonly method: CcxtMethod;
  /** See `CcxtChangeDetector`. */
  readonly quoted: Set<string>;
}

export interface CcxtWatchListener {
  /** A socket to the venue is open. */
  onConnected(): void;
  /** The venue sent an update; `events` is empty if it changed nothing. */
  onEvents(events: readonly MarketEvent[]): void;
  onRefused(refusal: Refusal): void;
  onFailure(failure: SessionFailure): void;
}

/**
 * Runs one loop for all instruments if the venue can watch them together, otherwise one loop per instrument. If
 * the venue rejects an instrument without naming it, two loops with half of the instruments each replace the loop.
 */
export class CcxtWatch {
  readonly #options: CcxtWatchOptions;
  readonly #listener: CcxtWatchListener;
  readonly #changes: CcxtChangeDetector;
  #loops: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: CcxtWatchOptions, symbols: readonly string[], listener: CcxtWatchListener) {
    this.#options = options;
    this.#listener = listener;
    this.#changes = new CcxtChangeDetector(options.method === 'watchBidsAsks', options.quoted);
    options.exchange.onConnected = () => this.#notify(() => listener.onConnected());
    for (const group of this.#groupSymbols(symbols)) this.#startLoop(group);
  }

  /** Stops all notifications. Resolves when all sockets are closed; terminates them after `withinMs` milliseconds. */
  async close(withinMs: number): Promise<void> {
    this.#isClosed = true;
    const { exchange } = this.#options;
    const terminate = () => {
      for (const { connection } of Object.values(exchange.clients)) connection?.terminate?.();
    };
    if (withinMs === 0) terminate();
    const timer = setTimeout(terminate, withinMs);
    // A loop can connect after the first close, so the exchange is closed again when the loops have ended.
    for (const done of [exchange.close(), this.#loops.then(() => exchange.close())])
      await done.catch(() => {});
    clearTimeout(timer);
  }

  #groupSymbols(symbols: readonly string[]): readonly (readonly string[])[] {
    const { exchange, method } = this.#options;
    const needsOneLoopEach = method === 'watchTrades' && exchange.has.watchTradesForSymbols !== true;
    if (needsOneLoopEach) return symbols.map((symbol) => [symbol]);
    return symbols.length === 0 ? [] : [symbols];
  }

  #startLoop(symbols: readonly string[]): void {
    this.#loops = Promise.all([this.#loops, this.#runLoop(symbols)]);
  }

  async #runLoop(symbols: readonly string[]): Promise<void> {
    while (!this.#isClosed) {
      try {
        const tickers = await this.#nextUpdate(symbols);
        this.#notify(() => this.#listener.onEvents(this.#changedEvents(symbols, tickers)));
      } catch (error) {
        return this.#notify(() => this.#onError(symbols, error));
      }
    }
  }

  /** Resolves when one of the symbols is updated: with the updated tickers, or with undefined for `watchTrades`. */
  async #nextUpdate(symbols: readonly string[]): Promise<CcxtExchange['tickers'] | undefined> {
    const { exchange, method } = this.#options;
    if (method === 'watchBidsAsks') return exchange.watchBidsAsks(symbols);
    if (method === 'watchTickers') return exchange.watchTickers(symbols);
    const [first = ''] = symbols;
    if (exchange.has.watchTradesForSymbols === true) await exchange.watchTradesForSymbols(symbols);
    else await exchange.watchTrades(first);
    return undefined;
  }

  #changedEvents(symbols: readonly string[], tickers: CcxtExchange['tickers'] | undefined): MarketEvent[] {
    const { exchange, method } = this.#options;
    const kept = method === 'watchBidsAsks' ? exchange.bidsasks : exchange.tickers;
    return symbols.flatMap((symbol) => {
      if (tickers === undefined) return this.#changes.tradeEvents(symbol, exchange.trades[symbol] ?? []);
      const ticker = kept[symbol] ?? tickers[symbol];
      return ticker === undefined ? [] : this.#changes.tickerEvents(symbol, ticker);
    });
  }

  #onError(symbols: readonly string[], error: unknown): void {
    const { library } = this.#options;
    if (!isAboutSymbols(error, library)) return this.#listener.onFailure(failureOf(error, library));
    const [symbol = ''] = symbols;
    if (symbols.length > 1) {
      const middle = Math.ceil(symbols.length / 2);
      this.#startLoop(symbols.slice(0, middle));
      this.#startLoop(symbols.slice(middle));
    } else {
      const isUnknown = error instanceof library.errors.BadSymbol;
      this.#listener.onRefused({ symbol, code: codeOf(error), isUnknown, reason: messageOf(error) });
    }
  }

  #notify(call: () => void): void {
    if (!this.#isClosed) call();
  }
}

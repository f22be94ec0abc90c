// Caches the market list of a ccxt venue, because it is large.

import type { CcxtExchange } from './ccxt-library.ts';

/** Age at which the list is reloaded, milliseconds. */
const MAX_AGE_MS = 600_000;

export class CcxtMarkets {
  readonly #open: () => CcxtExchange;
  #markets: CcxtExchange['markets'];
  #loadedAt = 0;

  /** @param open creates an exchange that is not connected */
  constructor(open: () => CcxtExchange) {
    this.#open = open;
  }

  /** @throws an error of ccxt */
  async load(): Promise<void> {
    if (this.#markets !== undefined && performance.now() - this.#loadedAt < MAX_AGE_MS) return;
    const exchange = this.#open();
    await exchange.loadMarkets();
    this.#markets = exchange.markets;
    this.#loadedAt = performance.now();
  }

  has(symbol: string): boolean {
    return this.#markets !== undefined && Object.hasOwn(this.#markets, symbol);
  }

  /** Creates an exchange that has the market list and is ready to connect. */
  async newExchange(): Promise<CcxtExchange> {
    const exchange = this.#open();
    exchange.setMarkets(this.#markets);
    await exchange.loadHttpProxyAgent();
    return exchange;
  }
}

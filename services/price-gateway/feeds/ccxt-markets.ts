// What a ccxt venue offers. It is large, so it is asked for once in a while only.

import type { CcxtExchange } from './ccxt-library.ts';

/** After which time the venue is asked again, milliseconds. */
const MAX_AGE_MS = 600_000;

export class CcxtMarkets {
  readonly #open: () => CcxtExchange;
  #markets: CcxtExchange['markets'];
  #loadedAt = 0;

  /** @param open makes an exchange that is not connected */
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

  /** An exchange that knows the markets and is ready to connect. */
  async newExchange(): Promise<CcxtExchange> {
    const exchange = this.#open();
    exchange.setMarkets(this.#markets);
    await exchange.loadHttpProxyAgent();
    return exchange;
  }
}

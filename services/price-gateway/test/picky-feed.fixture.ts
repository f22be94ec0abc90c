// A feed without a broker that refuses most symbols.

import type { Feed, FeedListener } from '../feeds/feed.ts';

/** A feed without a broker. Serves AAPL and MSFT, and refuses every other symbol. */
export class PickyFeed implements Feed {
  readonly name = 'picky';
  readonly venue = undefined;
  listener: FeedListener | undefined;
  symbols: readonly string[] = [];

  setSymbols(symbols: readonly string[]): void {
    this.symbols = symbols;
    this.#answer();
  }

  start(listener: FeedListener): void {
    this.listener = listener;
    listener.onState({ type: 'live' });
    this.#answer();
  }

  #answer(): void {
    const isServed = (symbol: string) => symbol === 'AAPL' || symbol === 'MSFT';
    this.listener?.onSubscribed(this.symbols.filter(isServed));
    for (const symbol of this.symbols)
      if (!isServed(symbol))
        this.listener?.onRefused({ symbol, code: undefined, isUnknown: true, reason: 'No such instrument.' });
  }

  reconnect(): void {}

  async close(): Promise<void> {
    this.listener = undefined;
  }
}

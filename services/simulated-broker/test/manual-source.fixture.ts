// A price source that says what a test tells it to, when the test tells it.

import type { MarketEvent } from '@tickbus/capture';
import type { PriceSource } from '../sources/price-source.ts';

/** A source driven by the test. */
export class ManualSource implements PriceSource {
  readonly symbols = ['AAPL', 'MSFT'];
  readonly #queue: (readonly MarketEvent[])[] = [];
  #failure: Error | undefined;
  #wake = () => {};

  /** One batch. */
  push(...events: MarketEvent[]): void {
    this.#queue.push(events);
    this.#wake();
  }

  /** The source throws after what was pushed. */
  fail(error: Error): void {
    this.#failure = error;
    this.#wake();
  }

  async *batches(signal: AbortSignal): AsyncGenerator<readonly MarketEvent[]> {
    signal.addEventListener('abort', () => this.#wake());
    for (;;) {
      const batch = this.#queue.shift();
      if (batch) yield batch;
      else if (this.#failure) throw this.#failure;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      signal.throwIfAborted();
    }
  }
}

/** A trade of AAPL unless told otherwise. */
export function trade(price: number, symbol = 'AAPL'): MarketEvent {
  return { kind: 'trade', symbol, price, size: 10, timestamp: Date.UTC(2026, 0, 2, 15, 30, 0, 208) };
}

/** A quote of AAPL unless told otherwise. */
export function quote(bid: number, symbol = 'AAPL'): MarketEvent {
  const timestamp = Date.UTC(2026, 0, 2, 15, 30, 0, 208);
  return { kind: 'quote', symbol, bid, bid_size: 2, ask: bid + 1, ask_size: 3, timestamp };
}

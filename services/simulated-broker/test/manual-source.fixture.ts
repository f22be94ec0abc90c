// A price source that the test drives.

import type { MarketEvent } from '@tickbus/capture';
import type { BrokerEvent, PriceSource } from '../sources/price-source.ts';

export class ManualSource implements PriceSource {
  readonly symbols = ['AAPL', 'MSFT'];
  readonly #queue: (readonly BrokerEvent[])[] = [];
  #failure: Error | undefined;
  #wake = () => {};

  /** Sends the events as one batch. */
  push(...events: BrokerEvent[]): void {
    this.#queue.push(events);
    this.#wake();
  }

  /** Makes the source throw after the pushed batches. */
  fail(error: Error): void {
    this.#failure = error;
    this.#wake();
  }

  async *batches(signal: AbortSignal): AsyncGenerator<readonly BrokerEvent[]> {
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

export function trade(price: number, symbol = 'AAPL'): MarketEvent {
  return { kind: 'trade', symbol, price, size: 10, timestamp: Date.UTC(2026, 0, 2, 15, 30, 0, 208) };
}

export function quote(bid: number, symbol = 'AAPL'): MarketEvent {
  const timestamp = Date.UTC(2026, 0, 2, 15, 30, 0, 208);
  return { kind: 'quote', symbol, bid, bid_size: 2, ask: bid + 1, ask_size: 3, timestamp };
}

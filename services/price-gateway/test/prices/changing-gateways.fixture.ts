// Gateways in a row, of which each learns from Redis what those before it have published.

import type { MarketEvent, TradeChange, TradeEvent } from '@tickbus/capture';
import type { Price } from 'tickbus';
import { PriceBook, type PriceDropReason, type PublishedPrice } from '../../prices/price-book.ts';
import { AT } from '../gateway.fixture.ts';

export class ChangingGateways {
  /** Time of the venue, of Redis and of the gateways, Unix milliseconds. */
  now = AT;
  book = this.#newBook();
  readonly published: Price[] = [];
  /** The prices that were those of a trade after the venue had cancelled it. */
  readonly cancelledAgain: Price[] = [];
  readonly #cancelled = new Set<number>();
  readonly #last = new Map<string, PublishedPrice>();
  readonly #unpriced = new Set<string>();

  takeOver(): void {
    this.book = this.#newBook();
    this.book.continueFrom([...this.#last.values()]);
    this.book.inherit([...this.#unpriced].map((symbol) => ({ symbol, market: 'no_price' })));
  }

  apply(event: MarketEvent | TradeChange): Price | PriceDropReason {
    this.now = Math.max(this.now, event.timestamp);
    const price = this.book.apply(event);
    if (price === 'unpriced') this.#unpriced.add(event.symbol);
    if (typeof price === 'string') return price;
    this.#unpriced.delete(event.symbol);
    this.published.push(price);
    if (price.source === 'trade' && this.#cancelled.has(price.price)) this.cancelledAgain.push(price);
    this.#last.set(price.symbol, { at: this.now, data: price });
    return price;
  }

  /** No other trade has the price of this one. */
  cancel({ symbol, trade_id, price, size }: TradeEvent): void {
    this.#cancelled.add(price);
    const original = { ...(trade_id !== undefined && { trade_id }), price, size };
    this.apply({ kind: 'cancel', symbol, original, timestamp: this.now });
  }

  #newBook(): PriceBook {
    return new PriceBook(undefined, () => this.now);
  }
}

// The trades of one instrument, in the order of their times.

import type { DeepReadonly, TradeCancel } from 'tickbus';
import type { StoredTrade } from './stored-trade.ts';

/** How a venue names the trade that it corrects or cancels. */
export type TradeReference = DeepReadonly<TradeCancel>['original'];

export class TradeList {
  #trades: StoredTrade[] = [];

  get size(): number {
    return this.#trades.length;
  }

  insert(trade: StoredTrade): void {
    this.#trades.splice(this.#indexOf(trade), 0, trade);
  }

  remove(trade: StoredTrade): void {
    this.#trades.splice(this.#indexOf(trade), 1);
  }

  /** From `start` to before `end`. */
  between(start: number, end: number): readonly StoredTrade[] {
    return this.#trades.slice(this.#firstAt(start), this.#firstAt(end));
  }

  /** Removes and returns the trades before an instant. */
  takeBefore(time: number): readonly StoredTrade[] {
    return this.#trades.splice(0, this.#firstAt(time));
  }

  /** The time that about half of the trades precede. */
  get medianTime(): number {
    return this.#trades[this.#trades.length >> 1]?.time ?? Number.NEGATIVE_INFINITY;
  }

  /** Whether the same trade was published before. Without an identifier, equal trades are different ones. */
  has({ id, time, price, size }: StoredTrade): boolean {
    if (id === undefined) return false;
    for (let index = this.#firstAt(time); this.#trades[index]?.time === time; index++) {
      const other = this.#trades[index];
      if (other?.id === id && other.price === price && other.size === size) return true;
    }
    return false;
  }

  /**
   * The trade that a venue refers to: by its identifier, price and size, else by price, size and time. Exchanges that
   * share a feed may use an identifier twice. Price and size are those that the venue sent first, or the new ones.
   */
  find({ trade_id: id, price, size, timestamp }: TradeReference): StoredTrade | undefined {
    const isAtTime = (trade: StoredTrade) => timestamp === undefined || trade.time === timestamp;
    const isOf = (one: StoredTrade['sent']) => one?.price === price && one.size === size;
    const hasId = (trade: StoredTrade) => id !== undefined && trade.id === id;
    return (
      this.#trades.findLast((trade) => hasId(trade) && isOf(trade) && isAtTime(trade)) ??
      this.#trades.findLast((trade) => hasId(trade) && (isOf(trade) || isOf(trade.sent))) ??
      this.#trades.findLast(
        (trade) => (id === undefined || trade.id === undefined) && isOf(trade) && isAtTime(trade),
      )
    );
  }

  #firstAt(time: number): number {
    return this.#search((trade) => trade.time >= time);
  }

  #indexOf({ time, order }: StoredTrade): number {
    return this.#search((trade) => trade.time > time || (trade.time === time && trade.order >= order));
  }

  /** The first index at which `isReached` is true; it stays true after that. Trades mostly arrive in order. */
  #search(isReached: (trade: StoredTrade) => boolean): number {
    const trades = this.#trades;
    const last = trades.at(-1);
    if (last === undefined || !isReached(last)) return trades.length;
    let [low, high] = [0, trades.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      const trade = trades[middle];
      if (trade !== undefined && isReached(trade)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

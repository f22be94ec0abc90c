// What is on TRADES, against what gateways have received.

import type { TradeEvent } from '@tickbus/capture';
import type { TradeGap } from 'tickbus';
import type { TradesMessage } from './desk.fixture.ts';

/** All prices differ, so a price identifies a trade. */
export class PublishedTrades {
  readonly #expected = new Map<number, TradeEvent>();
  readonly #published = new Set<number>();
  readonly #gaps: TradeGap[] = [];

  /** A gateway has received it. */
  expect(trade: TradeEvent): void {
    this.#expected.set(trade.price, trade);
  }

  /** Returns what is wrong with a message of the channel. */
  add({ message_type, data }: TradesMessage): string | undefined {
    if (message_type === 'trade_gap') this.#gaps.push(data as TradeGap);
    if (message_type === 'trade_correction' && 'corrected' in data) this.#published.add(data.corrected.price);
    if (message_type !== 'trade' || !('price' in data)) return undefined;
    if (this.#published.has(data.price)) return `The trade at ${data.price} is on TRADES twice.`;
    this.#published.add(data.price);
    return undefined;
  }

  /** A trade that is neither on the channel nor in a gap that it reports. */
  missing(): string | undefined {
    for (const [price, { symbol, timestamp }] of this.#expected) {
      const isInGap = this.#gaps.some(
        (gap) => gap.symbol === symbol && (gap.from ?? 0) <= timestamp && timestamp <= gap.to,
      );
      if (!this.#published.has(price) && !isInGap) return `The trade at ${price} is not on TRADES.`;
    }
    return undefined;
  }
}

// Shared helpers: a market driven by the test, and a list of received values to wait on.

import type { MarketEvent } from '@tickbus/capture';
import type { BrokerEvent, PriceSource } from '@tickbus/simulated-broker/sources/source';
import { pino } from 'pino';
import type { MessageOf } from 'tickbus';
import type { CHANNELS } from 'tickbus/constants';
import type { RedisSubscriber } from 'tickbus/subscriber';

export const SILENT = pino({ level: 'silent' });
export const CREDENTIALS = { key: 'local-key', secret: 'local-secret' };
/** 2026-01-02 15:30:00.208 UTC. */
export const AT = Date.UTC(2026, 0, 2, 15, 30, 0, 208);

export function trade(price: number, symbol = 'AAPL'): MarketEvent {
  return { kind: 'trade', symbol, price, size: 10, timestamp: AT };
}

export function quote(bid: number, ask: number, symbol = 'AAPL'): MarketEvent {
  return { kind: 'quote', symbol, bid, bid_size: 2, ask, ask_size: 3, timestamp: AT };
}

/** A price source of the simulated broker that sends the events that the test pushes. */
export class ManualMarket implements PriceSource {
  readonly symbols = ['AAPL', 'MSFT'];
  readonly #batches: (readonly BrokerEvent[])[] = [];
  #wake = () => {};

  push(...events: BrokerEvent[]): void {
    this.#batches.push(events);
    this.#wake();
  }

  async *batches(signal: AbortSignal): AsyncGenerator<readonly BrokerEvent[]> {
    signal.addEventListener('abort', () => this.#wake());
    for (;;) {
      for (let batch = this.#batches.shift(); batch !== undefined; batch = this.#batches.shift()) yield batch;
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

type FeedChannelName = 'PRICE_DATA' | 'FEED_STATUS' | 'INSTRUMENT_STATUS';

/**
 * Passes every message of a channel to `add`, except snapshots, which earlier tests left behind. Uses a tap, because
 * conflation can drop messages of a handler on a busy machine.
 */
export function collect<C extends (typeof CHANNELS)[FeedChannelName]>(
  subscriber: RedisSubscriber,
  channel: C,
  add: (message: MessageOf<C>) => void,
): void {
  subscriber.tap(channel, ({ message, delivery }) => {
    if (delivery !== 'snapshot') add(message);
  });
}

/** Collects values in order. */
export class ReceivedValues<T> {
  readonly all: T[] = [];
  #waiting: (() => void)[] = [];

  readonly add = (value: T): void => {
    this.all.push(value);
    for (const wake of this.#waiting.splice(0)) wake();
  };

  /** Resolves with the first matching value, received already or later; `from` skips the oldest values. */
  async until(matches: (value: T) => boolean, from = 0): Promise<T> {
    for (;;) {
      const found = this.all.slice(from).find(matches);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

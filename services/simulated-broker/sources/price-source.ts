// The interface between the broker and a source of prices.

import type { BandEvent, MarketEvent, TradeChange } from '@tickbus/capture';

/** The exchange changes the trading status of an instrument. The codes are those of the consolidated tape C. */
export interface StatusEvent {
  readonly kind: 'status';
  readonly symbol: string;
  /** H: halt; P: volatility pause; Q: quotes resume; T: trading resumes. */
  readonly code: 'H' | 'P' | 'Q' | 'T';
  /** Code and text of the reason. */
  readonly reason?: readonly [code: string, text: string];
  /** Unix milliseconds. */
  readonly timestamp: number;
}

/**
 * Identifiers of trades are decimal digits; the broker numbers trades without one. Conditions default to `@`, a regular
 * sale. A quote's side without orders has price 0 and size 0.
 */
export type BrokerEvent = MarketEvent | TradeChange | BandEvent | StatusEvent;

export interface PriceSource {
  /** Every symbol the source can produce. */
  readonly symbols: readonly string[];
  /**
   * Market events in order, at the pace at which they happen. Simultaneous events form one batch, which is sent as one
   * frame. Ends when the source has no more events; throws when the signal aborts. Can be iterated once.
   */
  batches(signal: AbortSignal): AsyncIterable<readonly BrokerEvent[]>;
}

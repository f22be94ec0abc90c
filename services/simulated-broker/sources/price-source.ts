// The interface between the broker and a source of prices.

import type { MarketEvent } from '@tickbus/capture';

export interface PriceSource {
  /** Every symbol the source can produce. */
  readonly symbols: readonly string[];
  /**
   * Market events in order, at the pace at which they happen. Simultaneous events form one batch, which is sent as one
   * frame. Ends when the source has no more events; throws when the signal aborts. Can be iterated once.
   */
  batches(signal: AbortSignal): AsyncIterable<readonly MarketEvent[]>;
}

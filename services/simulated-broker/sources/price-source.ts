// Where prices come from, as the broker sees it.

import type { MarketEvent } from '@tickbus/capture';

/** A source of prices. */
export interface PriceSource {
  /** Every symbol the source can produce. */
  readonly symbols: readonly string[];
  /**
   * Market events in the order and at the pace they happen; what happens at once comes as one batch and is sent as one frame.
   * Ends when there is nothing more, throws when the signal aborts. Read once.
   */
  batches(signal: AbortSignal): AsyncIterable<readonly MarketEvent[]>;
}

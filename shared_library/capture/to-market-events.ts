// Translates a recorded venue frame into market events.

import type { MarketEvent } from './market-event.ts';
import type { CaptureRecord } from './read-capture.ts';
import { readBinanceFuturesFrame } from './venues/binance-futures.ts';
import { readCoinbaseFrame } from './venues/coinbase.ts';

/** One reader a venue; each knows its own frames and answers undefined for all others. */
const VENUES: readonly ((frame: Readonly<Record<string, unknown>>) => MarketEvent | undefined)[] = [
  readCoinbaseFrame,
  readBinanceFuturesFrame,
];

/**
 * The market events in one recorded frame, in order. Frames that went to the venue, frames that are no trade or quote
 * (order book, candles, acknowledgements) and frames with a missing or non-finite number give none.
 */
export function toMarketEvents(record: CaptureRecord): readonly MarketEvent[] {
  const { dir, frame } = record;
  if (dir !== 'in' || !isObject(frame)) return [];
  for (const readFrame of VENUES) {
    const event = readFrame(frame);
    if (event !== undefined) return [event];
  }
  return [];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

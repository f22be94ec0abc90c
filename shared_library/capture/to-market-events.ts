// Translates a recorded venue frame into market events.

import type { MarketEvent } from './market-event.ts';
import type { CaptureRecord } from './read-capture.ts';
import { readAlpacaMessage } from './venues/alpaca.ts';
import { readBinanceFuturesFrame } from './venues/binance-futures.ts';
import { readCoinbaseFrame } from './venues/coinbase.ts';
import { readTickbusFrame } from './venues/tickbus-recorder.ts';

type Frame = Readonly<Record<string, unknown>>;

/** One reader a venue; each knows its own frames and answers undefined for all others. */
const VENUES: readonly ((frame: Frame) => MarketEvent | undefined)[] = [
  readCoinbaseFrame,
  readBinanceFuturesFrame,
];

/**
 * The market events in one recorded frame, in order. Frames that went to the venue, frames that are no trade or quote
 * (order book, candles, acknowledgements) and frames with a missing or non-finite number give none.
 */
export function toMarketEvents(record: CaptureRecord): readonly MarketEvent[] {
  const { dir, frame } = record;
  if (dir !== 'in') return [];
  if (Array.isArray(frame)) return eventsIn(frame.filter(isObject), readAlpacaMessage);
  if (!isObject(frame)) return [];
  const events = readTickbusFrame(frame);
  if (events !== undefined) return events;
  for (const readFrame of VENUES) {
    const event = readFrame(frame);
    if (event !== undefined) return [event];
  }
  return [];
}

function eventsIn(
  messages: readonly Frame[],
  read: (message: Frame) => MarketEvent | undefined,
): readonly MarketEvent[] {
  return messages.map(read).filter((event) => event !== undefined);
}

function isObject(value: unknown): value is Frame {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

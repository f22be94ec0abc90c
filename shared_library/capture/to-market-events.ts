// Translates a recorded venue frame into market events.

import type { JsonObject, MarketEvent } from './market-event.ts';
import type { CaptureRecord } from './read-capture.ts';
import { readAlpacaMessage } from './venues/alpaca.ts';
import { readBinanceFuturesFrame } from './venues/binance-futures.ts';
import { readCoinbaseFrame } from './venues/coinbase.ts';
import { readTickbusFrame } from './venues/tickbus-recorder.ts';

/** One parser per venue; each returns undefined for frames of other venues. */
const VENUES: readonly ((frame: JsonObject) => MarketEvent | undefined)[] = [
  readCoinbaseFrame,
  readBinanceFuturesFrame,
];

/**
 * The market events in one recorded frame, in order. A frame yields none if it went to the venue, is neither a trade
 * nor a quote (order book, candle, acknowledgement), or has a number that is missing or not finite.
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
  messages: readonly JsonObject[],
  read: (message: JsonObject) => MarketEvent | undefined,
): readonly MarketEvent[] {
  return messages.map(read).filter((event) => event !== undefined);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// Translates a recorded venue frame into events.

import { checkedEvent } from './checked-event.ts';
import type { UncheckedEvent } from './event-rules.ts';
import type { JsonObject, MarketEvent, VenueEvent } from './market-event.ts';
import type { CaptureRecord } from './read-capture.ts';
import { readAlpacaMessage } from './venues/alpaca.ts';
import { readBinanceFuturesFrame } from './venues/binance-futures.ts';
import { readCoinbaseFrame } from './venues/coinbase.ts';
import { readTickbusFrame } from './venues/tickbus-recorder.ts';

/** One parser per venue; each returns undefined for frames of other venues. */
const VENUES: readonly ((frame: JsonObject) => UncheckedEvent | undefined)[] = [
  readCoinbaseFrame,
  readBinanceFuturesFrame,
];

/**
 * Everything that the venue reports in one recorded frame, in order. A frame yields nothing if it went to the venue, or
 * if it is of another kind (order book, candle, acknowledgement).
 *
 * @param onInvalid called for each event with a value that is missing or not plausible, which is then left out; the
 *   phrase names the field and the value
 */
export function toVenueEvents(
  record: CaptureRecord,
  onInvalid?: (problem: string) => void,
): readonly VenueEvent[] {
  const events: VenueEvent[] = [];
  for (const event of uncheckedEvents(record)) {
    try {
      events.push(checkedEvent(event));
    } catch (error) {
      onInvalid?.(error instanceof Error ? error.message : String(error));
    }
  }
  return events;
}

/** The valid trades and quotes in one recorded frame, in order. */
export function toMarketEvents(record: CaptureRecord): readonly MarketEvent[] {
  return toVenueEvents(record).filter((event) => event.kind === 'trade' || event.kind === 'quote');
}

function uncheckedEvents({ dir, frame }: CaptureRecord): readonly UncheckedEvent[] {
  if (dir !== 'in') return [];
  if (Array.isArray(frame)) return definedOf(frame.filter(isObject).map(readAlpacaMessage));
  if (!isObject(frame)) return [];
  const events = readTickbusFrame(frame);
  if (events !== undefined) return events;
  for (const readFrame of VENUES) {
    const event = readFrame(frame);
    if (event !== undefined) return [event];
  }
  return [];
}

function definedOf<Value>(values: readonly (Value | undefined)[]): readonly Value[] {
  return values.filter((value) => value !== undefined);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

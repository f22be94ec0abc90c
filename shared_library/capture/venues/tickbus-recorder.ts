// Frames that the gateway records for feeds without raw venue frames: `{"events": [trade or quote, ...]}`.

import { type JsonObject, type MarketEvent, toQuote, toTrade } from '../market-event.ts';

/** The market events in a frame of the gateway's recorder; undefined for any other frame. */
export function readTickbusFrame(frame: JsonObject): readonly MarketEvent[] | undefined {
  if (!Array.isArray(frame.events)) return undefined;
  return frame.events.map(readEvent).filter((event) => event !== undefined);
}

function readEvent(event: unknown): MarketEvent | undefined {
  if (typeof event !== 'object' || event === null || !('kind' in event)) return undefined;
  // `toTrade` and `toQuote` check the types.
  const fields = event as MarketEvent;
  if (fields.kind === 'trade') return toTrade(fields);
  return fields.kind === 'quote' ? toQuote(fields) : undefined;
}

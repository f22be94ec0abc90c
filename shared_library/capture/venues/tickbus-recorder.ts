// What the gateway records where it sees no frames of a venue: `{"events": [trade or quote, ...]}`.

import { type MarketEvent, toQuote, toTrade } from '../market-event.ts';

/** The market events in such a frame; undefined when it is another frame. */
export function readTickbusFrame(
  frame: Readonly<Record<string, unknown>>,
): readonly MarketEvent[] | undefined {
  if (!Array.isArray(frame.events)) return undefined;
  return frame.events.map(readEvent).filter((event) => event !== undefined);
}

function readEvent(event: unknown): MarketEvent | undefined {
  if (typeof event !== 'object' || event === null || !('kind' in event)) return undefined;
  // What is missing or of another type is found by these.
  const fields = event as MarketEvent;
  if (fields.kind === 'trade') return toTrade(fields);
  return fields.kind === 'quote' ? toQuote(fields) : undefined;
}

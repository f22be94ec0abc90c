// Frames that the gateway records for feeds without raw venue frames: `{"events": [event, ...]}`.

import type { UncheckedEvent } from '../event-rules.ts';
import type { JsonObject, VenueEvent } from '../market-event.ts';

const KINDS: Readonly<Record<VenueEvent['kind'], true>> = {
  trade: true,
  quote: true,
  correction: true,
  cancel: true,
  halt: true,
  resume: true,
  band: true,
};

/** The events in a frame of the gateway's recorder, unchecked; undefined for any other frame. */
export function readTickbusFrame(frame: JsonObject): readonly UncheckedEvent[] | undefined {
  return Array.isArray(frame.events) ? frame.events.filter(isEvent) : undefined;
}

function isEvent(event: unknown): event is UncheckedEvent {
  if (typeof event !== 'object' || event === null || !('kind' in event)) return false;
  return typeof event.kind === 'string' && Object.hasOwn(KINDS, event.kind);
}

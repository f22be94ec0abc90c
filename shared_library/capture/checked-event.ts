// Checks the values of events, and converts numbers that a venue sends as text.

import {
  hasValidDetails,
  isPrice,
  isSize,
  isTime,
  isTrimmed,
  numberOf,
  problemOf,
  type UncheckedEvent,
} from './event-rules.ts';
import type { VenueEvent } from './market-event.ts';

/** The valid event of this kind. */
type Valid<Kind extends VenueEvent['kind']> = Extract<VenueEvent, { readonly kind: Kind }>;

/**
 * The event with all numbers as numbers and identifiers as text. A side of a quote that is null has price and size 0.
 * An event that needs no conversion is returned as it is.
 *
 * @throws TypeError that names the field and its value
 */
export function checkedEvent<Item extends { readonly kind: VenueEvent['kind'] }>(
  event: Item,
): Valid<Item['kind']> {
  if (isValidEvent(event)) return event as VenueEvent as Valid<Item['kind']>;
  const converted = convert(event);
  const problem = problemOf(converted, event);
  if (problem !== undefined) throw new TypeError(problem);
  return converted as unknown as Valid<Item['kind']>;
}

/** Whether the event needs no conversion. Called for each trade and quote, so it allocates nothing for them. */
export function isValidEvent(event: { readonly kind: VenueEvent['kind'] }): event is VenueEvent {
  const item: UncheckedEvent = event;
  switch (item.kind) {
    case 'trade':
      return (
        isTime(item.timestamp) &&
        isPrice(item.price) &&
        isSize(item.size) &&
        isTrimmed(item.symbol) &&
        hasValidDetails(item)
      );
    case 'quote':
      return (
        isTime(item.timestamp) &&
        isPrice(item.bid) &&
        isSize(item.bid_size) &&
        isPrice(item.ask) &&
        isSize(item.ask_size) &&
        isTrimmed(item.symbol)
      );
    default:
      return problemOf(item) === undefined;
  }
}

/** Of the same kind, with converted values. What cannot be converted stays as it is. */
function convert(event: UncheckedEvent): UncheckedEvent {
  const fields = convertFields(event.kind === 'quote' ? withoutNullSides(event) : event);
  if (event.kind !== 'correction' && event.kind !== 'cancel') return fields;
  const { original, corrected } = event;
  return {
    ...fields,
    ...(isObject(original) && { original: convertFields(original) }),
    ...(isObject(corrected) && { corrected: convertFields(corrected) }),
  };
}

const NUMBERS = [
  'price',
  'size',
  'timestamp',
  'bid',
  'bid_size',
  'ask',
  'ask_size',
  'limit_down',
  'limit_up',
];

function convertFields<Fields extends object>(fields: Fields): Fields {
  const result = { ...fields } as Record<string, unknown>;
  for (const name of NUMBERS) {
    const number = numberOf(result[name]);
    if (!Number.isNaN(number)) result[name] = number;
  }
  if (Number.isSafeInteger(result.trade_id)) result.trade_id = String(result.trade_id);
  return result as Fields;
}

/** A side whose price is null has no orders; a size that is null is unknown. */
function withoutNullSides(event: UncheckedEvent): UncheckedEvent {
  const { bid, bid_size, ask, ask_size } = event;
  return {
    ...event,
    ...(bid === null && { bid: 0 }),
    ...(ask === null && { ask: 0 }),
    ...((bid === null || bid_size === null) && { bid_size: 0 }),
    ...((ask === null || ask_size === null) && { ask_size: 0 }),
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

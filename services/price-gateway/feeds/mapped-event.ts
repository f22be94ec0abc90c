// Checks the trades and quotes that a mapping returns, and converts numbers that a venue sends as text.

import type { MarketEvent } from '@tickbus/capture';
import type { MappedQuote, MappedTrade } from '../mapping.ts';
import { describeValue } from './describe-value.ts';

/** The range of plausible times. Seconds, microseconds and nanoseconds of the present are outside it. */
const MIN_TIME = Date.UTC(2000, 0);
const MAX_TIME = Date.UTC(2100, 0);

/** Excludes what `Number` also accepts, such as blanks, `0x10` and `Infinity`. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * The event with all numbers as numbers. An event that needs no conversion is returned as it is.
 *
 * @throws TypeError that names the field and its value
 */
export function checkedEvent(item: MappedTrade | MappedQuote): MarketEvent {
  return isValid(item) ? item : converted(item);
}

function isValid(item: MappedTrade | MappedQuote): item is MarketEvent {
  if (!isTime(item.timestamp) || !isTrimmed(item.symbol)) return false;
  if (item.kind === 'trade') return isPrice(item.price) && isSize(item.size);
  return isPrice(item.bid) && isSize(item.bid_size) && isPrice(item.ask) && isSize(item.ask_size);
}

function converted(item: MappedTrade | MappedQuote): MarketEvent {
  const { symbol } = item;
  if (!isTrimmed(symbol)) {
    const rule = 'must be a string that neither begins nor ends with a blank';
    throw new TypeError(`symbol of a ${item.kind} ${rule}, but was ${describeValue(symbol)}`);
  }
  const fieldOf = (field: string) => `${field} of the ${item.kind} of ${describeValue(symbol)}`;
  const price = (field: string, value: unknown) => toNumber(fieldOf(field), value, isPrice, '');
  const size = (field: string, value: unknown) =>
    toNumber(fieldOf(field), value, isSize, ' that is not negative');
  const timestamp = toTime(fieldOf('timestamp'), item.timestamp);
  if (item.kind === 'trade')
    return { ...item, price: price('price', item.price), size: size('size', item.size), timestamp };
  return {
    ...item,
    bid: price('bid', item.bid),
    bid_size: size('bid_size', item.bid_size),
    ask: price('ask', item.ask),
    ask_size: size('ask_size', item.ask_size),
    timestamp,
  };
}

function toNumber(
  field: string,
  value: unknown,
  isInRange: (value: unknown) => boolean,
  range: string,
): number {
  const number = numberOf(value);
  if (isInRange(number)) return number;
  // A larger integer may differ from the one that the venue sent, because JSON.parse rounds it.
  const isTooLarge = Math.abs(number) > Number.MAX_SAFE_INTEGER;
  const expected = isTooLarge ? 'at most 2^53 - 1' : `a number${range}, or decimal digits as text`;
  throw new TypeError(`${field} must be ${expected}, but was ${describeValue(value)}`);
}

function toTime(field: string, value: unknown): number {
  const time = numberOf(value);
  if (isTime(time)) return time;
  const unit = UNITS.find(([, perMs]) => isTime(time / perMs))?.[0];
  const hint = unit === undefined ? '' : `, which looks like ${unit}`;
  throw new TypeError(
    `${field} must be in Unix milliseconds, from the year 2000 to 2100, but was ${describeValue(value)}${hint}`,
  );
}

const UNITS: readonly (readonly [unit: string, perMs: number])[] = [
  ['seconds', 1e-3],
  ['microseconds', 1e3],
  ['nanoseconds', 1e6],
];

/** NaN for a value that is neither a number nor decimal digits. */
function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && DECIMAL.test(value) ? Number(value) : Number.NaN;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= MIN_TIME && value < MAX_TIME;
}

function isPrice(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

/** Blanks inside a symbol are left to the gateway, because some venues use them. */
function isTrimmed(symbol: unknown): symbol is string {
  return typeof symbol === 'string' && symbol !== '' && symbol.trim().length === symbol.length;
}

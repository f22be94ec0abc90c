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
  if (isValid(item)) return item;
  const event = withNumbers(item);
  if (isValid(event)) return event;
  throw new TypeError(problemOf(item));
}

function isValid(item: MappedTrade | MappedQuote): item is MarketEvent {
  if (!isTime(item.timestamp) || !isTrimmed(item.symbol)) return false;
  if (item.kind === 'trade') return isPrice(item.price) && isSize(item.size);
  return isPrice(item.bid) && isSize(item.bid_size) && isPrice(item.ask) && isSize(item.ask_size);
}

function withNumbers(item: MappedTrade | MappedQuote): MarketEvent {
  const timestamp = numberOf(item.timestamp);
  if (item.kind === 'trade')
    return { ...item, price: numberOf(item.price), size: numberOf(item.size), timestamp };
  return {
    ...item,
    bid: numberOf(item.bid),
    bid_size: numberOf(item.bid_size),
    ask: numberOf(item.ask),
    ask_size: numberOf(item.ask_size),
    timestamp,
  };
}

/** What is wrong with the first invalid field. */
function problemOf(item: MappedTrade | MappedQuote): string {
  const { kind, symbol, timestamp } = item;
  const problem = (
    field: string,
    rule: string,
    value: unknown,
    of = `the ${kind} of ${describeValue(symbol)}`,
  ) => `${field} of ${of} must be ${rule}, but was ${describeValue(value)}`;
  if (!isTrimmed(symbol))
    return problem('symbol', 'a string that neither begins nor ends with a blank', symbol, `a ${kind}`);
  const values = item as Readonly<Record<string, unknown>>;
  for (const field of NUMBERS[kind]) {
    const value = values[field];
    const isInRange = field.endsWith('size') ? isSize : isPrice;
    if (!isInRange(numberOf(value))) return problem(field, ruleOf(field, value), value);
  }
  const rule = 'in Unix milliseconds, from the year 2000 to 2100';
  const unit = UNITS.find(([, perMs]) => isTime(numberOf(timestamp) / perMs))?.[0];
  return problem('timestamp', rule, timestamp) + (unit === undefined ? '' : `, which looks like ${unit}`);
}

const NUMBERS: Readonly<Record<MarketEvent['kind'], readonly string[]>> = {
  trade: ['price', 'size'],
  quote: ['bid', 'bid_size', 'ask', 'ask_size'],
};

/** A larger integer may differ from the one that the venue sent, because JSON.parse rounds it. */
function ruleOf(field: string, value: unknown): string {
  if (Math.abs(numberOf(value)) > Number.MAX_SAFE_INTEGER) return 'at most 2^53 - 1';
  const range = field.endsWith('size') ? ' that is not negative' : '';
  return `a number${range}, or decimal digits as text`;
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

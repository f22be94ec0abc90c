// The rules for the fields of each kind of event: which values are valid, and how an error describes the others.

import { describeValue } from './describe-value.ts';
import type { TradingEvent, VenueEvent } from './market-event.ts';

/** An event of this kind, with fields of any type. */
export type UncheckedEvent<Kind extends VenueEvent['kind'] = VenueEvent['kind']> = {
  readonly kind: Kind;
  readonly [field: string]: unknown;
};

/**
 * What is wrong with the first invalid field: a phrase with the field and its value, without a full stop. Undefined if
 * the event is valid.
 *
 * @param original quoted instead of `event`, if `event` is its conversion
 */
export function problemOf(event: UncheckedEvent, original: UncheckedEvent = event): string | undefined {
  const { kind, symbol } = event;
  if (!isTrimmed(symbol)) return phrase(SYMBOL, 'symbol', symbol, `a ${kind}`);
  for (const [field, rule] of RULES[kind]) {
    if (rule.isValid(valueAt(event, field))) continue;
    return phrase(rule, field, valueAt(original, field), `the ${kind} of ${describeValue(symbol)}`);
  }
  return undefined;
}

/**
 * A halt, or its end, without the fields that are not valid: a halt whose time is wrong is a halt. Undefined for an
 * event of another kind, and if the symbol is not valid.
 */
export function essentialsOf({ kind, symbol, ...fields }: UncheckedEvent): TradingEvent | undefined {
  if ((kind !== 'halt' && kind !== 'resume') || !isTrimmed(symbol)) return undefined;
  const valid = RULES[kind].filter(([field, rule]) => rule.isValid(fields[field]));
  return { kind, symbol, ...Object.fromEntries(valid.map(([field]) => [field, fields[field]])) };
}

/** The range of plausible times. Seconds, microseconds and nanoseconds of the present are outside it. */
const MIN_TIME = Date.UTC(2000, 0);
const MAX_TIME = Date.UTC(2100, 0);
/** The limits of the channel TRADES. */
const MAX_ID = 128;
const MAX_CONDITIONS = 16;
const MAX_CONDITION = 32;
/** Characters of a reason for a halt. */
const MAX_DETAIL = 1_000;

export function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= MIN_TIME && value < MAX_TIME;
}

export function isPrice(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

export function isSize(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

/** Blanks inside a symbol are left to the gateway, because some venues use them. */
export function isTrimmed(symbol: unknown): symbol is string {
  return typeof symbol === 'string' && symbol !== '' && symbol.trim().length === symbol.length;
}

/** NaN for a value that is neither a number nor decimal digits. */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && DECIMAL.test(value) ? Number(value) : Number.NaN;
}

/** Excludes what `Number` also accepts, such as blanks, `0x10` and `Infinity`. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Whether the details of a trade are valid. Allocates nothing. */
export function hasValidDetails({
  trade_id,
  conditions,
  excluded_from,
  taker_side,
}: UncheckedEvent): boolean {
  return (
    (trade_id === undefined || ID.isValid(trade_id)) &&
    (conditions === undefined || CONDITIONS.isValid(conditions)) &&
    (excluded_from === undefined || EXCLUDED_FROM.isValid(excluded_from)) &&
    (taker_side === undefined || TAKER_SIDE.isValid(taker_side))
  );
}

interface Rule {
  isValid(value: unknown): boolean;
  /** Completes the error "FIELD of EVENT must be ...". */
  describe(value: unknown): string;
  readonly isTime?: true;
}

const SYMBOL: Rule = {
  isValid: isTrimmed,
  describe: () => 'a string that neither begins nor ends with a blank',
};
const PRICE: Rule = { isValid: isPrice, describe: (value) => numberRule(value, '') };
/** A side of a quote. A misspelt field of the venue is undefined, too, so that does not mean a side without orders. */
const SIDE: Rule = {
  isValid: isPrice,
  describe: (value) =>
    value === undefined
      ? `${PRICE.describe(value)}, or null for a side without orders`
      : PRICE.describe(value),
};
const SIDE_SIZE: Rule = {
  isValid: isSize,
  describe: (value) =>
    value === undefined ? `${SIZE.describe(value)}, or null if it is unknown` : SIZE.describe(value),
};
const SIZE: Rule = { isValid: isSize, describe: (value) => numberRule(value, ' that is not negative') };
const TIME: Rule = {
  isValid: isTime,
  isTime: true,
  describe: () => 'in Unix milliseconds, from the year 2000 to 2100',
};
const ID: Rule = {
  isValid: (value) => isText(value, MAX_ID),
  describe: () => `a text of 1 to ${MAX_ID} characters, or a whole number up to 2^53 - 1`,
};
const CONDITIONS: Rule = {
  isValid: (value) =>
    Array.isArray(value) &&
    value.length <= MAX_CONDITIONS &&
    value.every((one) => isText(one, MAX_CONDITION)),
  describe: () => `a list of at most ${MAX_CONDITIONS} texts of 1 to ${MAX_CONDITION} characters`,
};
const EXCLUSIONS: readonly unknown[] = ['last', 'high_low', 'volume'];
const EXCLUDED_FROM: Rule = {
  isValid: (value) =>
    Array.isArray(value) &&
    value.length <= EXCLUSIONS.length &&
    value.every((one) => EXCLUSIONS.includes(one)),
  describe: () => 'a list of last, high_low and volume',
};
const DETAIL: Rule = {
  isValid: (value) => isText(value, MAX_DETAIL),
  describe: () => `a text of 1 to ${MAX_DETAIL} characters`,
};

const TAKER_SIDE = oneOf('buy', 'sell');

/** A path is the name of a field, or that of an object and its field. */
type Field = readonly [path: string, rule: Rule];

const DETAILS: readonly Field[] = [
  ['trade_id', optional(ID)],
  ['conditions', optional(CONDITIONS)],
  ['excluded_from', optional(EXCLUDED_FROM)],
  ['taker_side', optional(TAKER_SIDE)],
];
const REFERENCE: readonly Field[] = [
  ['price', PRICE],
  ['size', SIZE],
  ['timestamp', optional(TIME)],
  ['trade_id', optional(ID)],
];

const RULES: Readonly<Record<VenueEvent['kind'], readonly Field[]>> = {
  trade: [['price', PRICE], ['size', SIZE], ['timestamp', TIME], ...DETAILS],
  quote: [
    ['bid', SIDE],
    ['bid_size', SIDE_SIZE],
    ['ask', SIDE],
    ['ask_size', SIDE_SIZE],
    ['timestamp', TIME],
  ],
  correction: [
    ...within('original', REFERENCE),
    ...within('corrected', [...REFERENCE, ...DETAILS.slice(1)]),
    ['timestamp', TIME],
  ],
  cancel: [
    ...within('original', REFERENCE),
    ['reason', optional(oneOf('cancel', 'error'))],
    ['timestamp', TIME],
  ],
  halt: [
    ['detail', optional(DETAIL)],
    ['timestamp', optional(TIME)],
  ],
  resume: [['timestamp', optional(TIME)]],
  band: [
    ['limit_down', optional(PRICE)],
    ['limit_up', optional(PRICE)],
    ['timestamp', TIME],
  ],
};

function within(object: string, fields: readonly Field[]): readonly Field[] {
  return fields.map(([field, rule]) => [`${object}.${field}`, rule]);
}

function optional(rule: Rule): Rule {
  return { ...rule, isValid: (value) => value === undefined || rule.isValid(value) };
}

function oneOf(...values: readonly string[]): Rule {
  return { isValid: (value) => values.includes(value as string), describe: () => values.join(' or ') };
}

function isText(value: unknown, maxLength: number): boolean {
  return typeof value === 'string' && value !== '' && value.length <= maxLength;
}

function valueAt(event: UncheckedEvent, path: string): unknown {
  let value: unknown = event;
  for (const name of path.split('.'))
    value = typeof value === 'object' && value !== null ? (value as UncheckedEvent)[name] : undefined;
  return value;
}

function phrase(rule: Rule, field: string, value: unknown, subject: string): string {
  const unit = rule.isTime ? unitOf(value) : '';
  return `${field} of ${subject} must be ${rule.describe(value)}, but was ${describeValue(value)}${unit}`;
}

/** A larger integer may differ from the one that the venue sent, because JSON.parse rounds it. */
function numberRule(value: unknown, range: string): string {
  const magnitude = Math.abs(typeof value === 'bigint' ? Number(value) : numberOf(value));
  if (magnitude > Number.MAX_SAFE_INTEGER) return 'at most 2^53 - 1';
  return `a number${range}, or decimal digits as text`;
}

const UNITS: readonly (readonly [unit: string, perMs: number])[] = [
  ['seconds', 1e-3],
  ['microseconds', 1e3],
  ['nanoseconds', 1e6],
];

function unitOf(time: unknown): string {
  const unit = UNITS.find(([, perMs]) => isTime(numberOf(time) / perMs))?.[0];
  return unit === undefined ? '' : `, which looks like ${unit}`;
}

// Formats numbers and times at a constant width, so that columns do not shift.

import type { PriceRow } from '../page-protocol.ts';

const decimalsOf = new Map<string, number>();
const MAX_DECIMALS = 8;

/** Uses the largest number of decimals seen for the symbol, so that its digits stay aligned. */
export function price(value: number | undefined, symbol: string): string {
  return value === undefined ? '–' : value.toFixed(decimalsOf.get(symbol) ?? 2);
}

/** The price band: `184.20 – 192.80`; a dash for a limit that is not known. Empty without a band. */
export function band(
  { limitDown, limitUp }: Pick<PriceRow, 'limitDown' | 'limitUp'>,
  symbol: string,
): string {
  if (limitDown === undefined && limitUp === undefined) return '';
  return `${price(limitDown, symbol)} – ${price(limitUp, symbol)}`;
}

/** Records the number of decimals of a symbol. Ignores midpoints, which have more decimals. */
export function learnDecimals({ symbol, price: last, bid, ask, source }: PriceRow): void {
  const known = decimalsOf.get(symbol) ?? 0;
  const seen = [bid, ask, source === 'midpoint' ? undefined : last].map((value) => decimalsIn(value ?? 0));
  decimalsOf.set(symbol, Math.max(known, ...seen));
}

export function forgetDecimals(symbol: string): void {
  decimalsOf.delete(symbol);
}

function decimalsIn(value: number): number {
  // Removes floating-point rounding noise.
  const text = String(Number(value.toPrecision(12)));
  if (text.includes('e')) return Math.abs(value) < 1 ? MAX_DECIMALS : 0;
  const point = text.indexOf('.');
  return point < 0 ? 0 : Math.min(MAX_DECIMALS, text.length - point - 1);
}

/** `0.4 s`, `12 s`, `3 m 05 s`, `2 h 10 m`, `4 d 3 h`. */
export function duration(ms: number): string {
  const s = Math.max(0, ms) / 1_000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} m ${padded(s % 60)} s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)} h ${padded((s % 3_600) / 60)} m`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3_600)} h`;
}

function padded(value: number): string {
  return String(Math.floor(value)).padStart(2, '0');
}

/** Milliseconds: `0.42`, `3.1`, `128`; a dash for null. */
export function ms(value: number | null): string {
  if (value === null) return '–';
  const size = Math.abs(value);
  return value.toFixed(size < 1 ? 2 : size < 10 ? 1 : 0);
}

export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Messages per second, with one decimal below 10. */
export function rate(value: number): string {
  return value < 10 ? value.toFixed(1) : count(value);
}

/** `14:03:07`, in the browser's time zone. */
export function time(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB');
}

export function timeWithMs(at: number): string {
  return `${time(at)}.${String(Math.floor(at) % 1_000).padStart(3, '0')}`;
}

/** Turns `quiet_market` into `quiet market`. */
export function words(name: string): string {
  return name.replaceAll('_', ' ');
}

// Control, format and invisible characters, except line breaks. Zero-width and bidirectional characters can make a name
// look like another name.
const INVISIBLE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Writes invisible characters as `\u{200b}`. Only parsed JSON needs this: the monitor has escaped all rows. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

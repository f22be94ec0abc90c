// Option parsers. Each throws InvalidArgumentError with the expected form.

import { InvalidArgumentError, Option } from 'commander';

const UNITS: Readonly<Record<string, number>> = { '': 1_000, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
/** The longest delay of a Node timer. */
const LONGEST_MS = 2 ** 31 - 1;

/** Parses `500ms`, `2s`, `1.5m`, `1h`, or a number of seconds. Returns milliseconds, above 0. */
export function duration(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? Number.NaN);
  if (ms > 0 && ms <= LONGEST_MS) return ms;
  throw new InvalidArgumentError('Use a time such as 500ms, 2s, 1m or 1h (24 days at most).');
}

/** The option `--timeout`, with a default of 10 s. */
export function timeoutOption(meaning: string): Option {
  return new Option('-t, --timeout <time>', meaning).argParser(duration).default(10_000, '10s');
}

/** A whole number, 1 or above. */
export function count(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value >= 1 && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('Use a whole number, 1 or above.');
}

/** A number above 0. */
export function above0(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Use a number above 0.');
}

/** For repeatable options that also accept comma-separated values. */
export function list(text: string, before: readonly string[] = []): string[] {
  const values = text.split(',').map((value) => value.trim());
  if (values.includes(''))
    throw new InvalidArgumentError('Use one value, or several separated by commas, none of them empty.');
  return [...before, ...values];
}

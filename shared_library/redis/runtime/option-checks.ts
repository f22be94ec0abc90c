// Rejects options that TypeScript would reject, for callers in JavaScript: unknown names and values of another type.

import { TickbusError } from '../errors.ts';
import { printable } from './printable.ts';

/** The names of all options of `T`, which may be a union: the compiler requires the list to be complete. */
export type OptionNames<T> = Readonly<Record<T extends unknown ? keyof T : never, true>>;

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless `options` is an object with known names only */
export function checkOptionNames(
  owner: string,
  options: object,
  names: Readonly<Record<string, true>>,
): void {
  if (typeof options !== 'object' || options === null)
    throw invalidOption(
      'options',
      `The options of ${owner} are ${describe(options)}. Pass an object, or omit them.`,
    );
  for (const name in options) {
    if (Object.hasOwn(names, name)) continue;
    const known = Object.keys(names);
    const similar = known.find((each) => isSimilar(name, each));
    const advice = similar === undefined ? `Use ${known.join(', ')}.` : `Did you mean "${similar}"?`;
    throw invalidOption(
      name,
      `${owner} has no option "${printable(name, 64)}", so nothing was done. ${advice}`,
    );
  }
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless it is undefined or of this type */
export function checkType(
  field: string,
  value: unknown,
  type: 'string' | 'boolean' | 'function' | 'number',
): void {
  if (value === undefined || typeof value === type) return;
  throw invalidOption(field, `${field} is ${describe(value)}. Use a ${type}.`);
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless it is undefined or a list of strings */
export function checkStrings(field: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value === 'string') {
    const text = printable(value, 64);
    throw invalidOption(
      field,
      `${field} is the string "${text}". Use a list of strings, as in ${field}: ['${text}'].`,
    );
  }
  if (!Array.isArray(value))
    throw invalidOption(field, `${field} is ${describe(value)}. Use a list of strings.`);
  const other = value.find((item) => typeof item !== 'string');
  if (value.some((item) => typeof item !== 'string'))
    throw invalidOption(field, `${field} contains ${describe(other)}. Use strings only.`);
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` unless `event` is one of `names` and `listener` is a function */
export function checkListener(
  owner: string,
  event: unknown,
  listener: unknown,
  names: Readonly<Record<string, true>>,
): void {
  const name = printable(String(event), 64);
  if (!Object.hasOwn(names, String(event)))
    throw invalidOption(
      'event',
      `${owner} has no event "${name}", so nothing would be reported. Use ${Object.keys(names).join(', ')}.`,
    );
  if (typeof listener !== 'function')
    throw invalidOption('listener', `The listener for "${name}" is not a function. Pass a function.`);
}

/** The type of a value in words. Does not show its content, which can be a secret. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function invalidOption(field: string, text: string): TickbusError {
  return new TickbusError('TICKBUS_INVALID_OPTION', text, { field: printable(field, 64) });
}

/**
 * True if the names differ in case, or by at most two letters (one in a short name) that are added, missing or
 * replaced.
 */
function isSimilar(given: string, known: string): boolean {
  const [a, b] = [given.slice(0, 64).toLowerCase(), known.toLowerCase()];
  return a.length > 2 && distance(a, b) <= (b.length < 5 ? 1 : 2);
}

/** The Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] as number) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

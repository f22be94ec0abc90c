// The settings that feeds have in common, as text from the environment.

import { z } from 'zod';

/** A text setting; `expected` completes the sentence "must be ...". */
export function text(expected: string, pattern = /\S/) {
  return z.string(expected).trim().regex(pattern, expected);
}

/** Where a WebSocket server is. */
export function webSocketUrl() {
  const expected = 'an address that begins with ws:// or wss://';
  return z
    .string(expected)
    .trim()
    .refine((url) => /^wss?:\/\//.test(url) && URL.canParse(url), expected);
}

/** A whole number. */
export function wholeNumber(least: number, most: number) {
  const expected = `a whole number from ${least} to ${most}`;
  return text(expected, /^\d+$/)
    .transform(Number)
    .refine((value) => value >= least && value <= most, expected);
}

/** A number above 0, or `Infinity`. */
export function positiveNumber() {
  const expected = 'a number above 0';
  return text(expected)
    .transform(Number)
    .refine((value) => value > 0, expected);
}

/** A setting that is `true` or `false`. */
export function booleanFlag() {
  return z.enum(['true', 'false'], 'true or false').transform((value) => value === 'true');
}

/** An object, written in JSON. */
export function jsonObject() {
  const expected = 'a JSON object, such as {"options":{}}';
  return text(expected).transform((value, context): Record<string, unknown> => {
    try {
      const object: unknown = JSON.parse(value);
      if (typeof object === 'object' && object !== null && !Array.isArray(object)) return { ...object };
    } catch {
      // Told below, without the value.
    }
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

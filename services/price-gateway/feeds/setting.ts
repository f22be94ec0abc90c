// Types of settings that feeds share; each parses text from the environment.

import { z } from 'zod';

/** A string; `expected` completes the error "NAME must be ...". */
export function text(expected: string, pattern = /\S/) {
  return z.string(expected).trim().regex(pattern, expected);
}

/** The URL of a WebSocket server. Excludes a fragment (`#`), because the WebSocket client would throw an error. */
export function webSocketUrl() {
  const expected = 'a URL that starts with ws:// or wss:// and contains no #';
  return z
    .string(expected)
    .trim()
    .refine((url) => /^wss?:\/\/[^#]*$/.test(url) && URL.canParse(url), expected);
}

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

/** `true` or `false`. */
export function booleanFlag() {
  return z.enum(['true', 'false'], 'true or false').transform((value) => value === 'true');
}

/** An object in JSON. */
export function jsonObject() {
  const expected = 'a JSON object, such as {"options":{}}';
  return text(expected).transform((value, context): Record<string, unknown> => {
    try {
      const object: unknown = JSON.parse(value);
      if (typeof object === 'object' && object !== null && !Array.isArray(object)) return { ...object };
    } catch {
      // Reported below, without the value.
    }
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

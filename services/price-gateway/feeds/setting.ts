// Kinds of settings that only feeds have; each parses text from the environment.

import { parsed, text } from '@tickbus/settings/fields';
import { z } from 'zod';

/** The URL of a WebSocket server. Excludes a fragment (`#`), because the WebSocket client would throw an error. */
export function webSocketUrl() {
  const expected = 'a URL that starts with ws:// or wss:// and contains no #';
  return z
    .string(expected)
    .trim()
    .refine((url) => /^wss?:\/\/[^#]*$/.test(url) && URL.canParse(url), expected);
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
  return parsed(parseObject, 'a JSON object, such as {"options":{}}');
}

function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    const object: unknown = JSON.parse(json);
    const isObject = typeof object === 'object' && object !== null && !Array.isArray(object);
    return isObject ? { ...object } : undefined;
  } catch {
    return undefined;
  }
}

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

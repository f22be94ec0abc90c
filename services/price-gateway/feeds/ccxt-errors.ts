// Explains ccxt's errors to an operator, by their classes.

import type { CcxtLibrary } from './ccxt-library.ts';
import type { SessionFailure } from './session-feed.ts';

/** Errors that need an action of the operator before a retry can succeed. */
const FINAL_ERRORS = [
  'AuthenticationError',
  'ArgumentsRequired',
  'InvalidProxySettings',
  'NotSupported',
  'RestrictedLocation',
] as const;

/** Whether the venue or the library rejects one of the instruments; the others may be valid. */
export function isAboutSymbols(error: unknown, { errors }: CcxtLibrary): boolean {
  return error instanceof errors.BadRequest;
}

export function failureOf(error: unknown, { errors }: CcxtLibrary): SessionFailure {
  const retryable = !FINAL_ERRORS.some((name) => error instanceof errors[name]);
  const advice = retryable ? '' : ' Correct the settings of the ccxt feed, then restart the gateway.';
  return { code: codeOf(error), reason: `${messageOf(error)}${advice}`, retryable };
}

/** The class name of the error: `RateLimitExceeded`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? error.constructor.name : undefined;
}

/** The message without query strings, which can contain credentials. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const safe = message.replace(/\?\S*/g, '?...').replace(/\s+/g, ' ').trim().slice(0, MAX_MESSAGE_LENGTH);
  return safe.endsWith('.') ? safe : `${safe}.`;
}

const MAX_MESSAGE_LENGTH = 300;

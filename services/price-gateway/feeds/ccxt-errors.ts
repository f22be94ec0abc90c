// What ccxt's errors mean for an operator, by their classes.

import type { CcxtLibrary } from './ccxt-library.ts';
import type { SessionFailure } from './session-feed.ts';

/** Errors after which somebody has to act first. */
const FINAL_ERRORS = [
  'AuthenticationError',
  'ArgumentsRequired',
  'InvalidProxySettings',
  'NotSupported',
  'RestrictedLocation',
] as const;

/** Whether the venue, or the library before it, objects to an instrument: others may be fine. */
export function isAboutSymbols(error: unknown, { errors }: CcxtLibrary): boolean {
  return error instanceof errors.BadRequest;
}

/** Why a session ended. */
export function failureOf(error: unknown, { errors }: CcxtLibrary): SessionFailure {
  const retryable = !FINAL_ERRORS.some((name) => error instanceof errors[name]);
  const advice = retryable ? '' : ' Mend the settings of the ccxt feed, then start the gateway again.';
  return { code: codeOf(error), reason: `${messageOf(error)}${advice}`, retryable };
}

/** The name of the error's class: `RateLimitExceeded`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? error.constructor.name : undefined;
}

/** A sentence that holds no credentials: they can stand in a query, and a venue can repeat what it was sent. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const safe = message.replace(/\?\S*/g, '?...').replace(/\s+/g, ' ').trim().slice(0, MAX_MESSAGE_LENGTH);
  return safe.endsWith('.') ? safe : `${safe}.`;
}

const MAX_MESSAGE_LENGTH = 300;

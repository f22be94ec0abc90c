// Checks the bearer token of a request, and counts the wrong ones by address.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from 'tickbus';

export type TokenVerdict = 'right' | 'wrong' | 'too_many_wrong';

/** Wrong tokens of one address in a minute after which further ones yield `too_many_wrong`. */
const MAX_WRONG = 10;
const MINUTE_MS = 60_000;
/** Maximum addresses with a separate counter; bounds memory. Further addresses of the same minute share a counter. */
const MAX_ADDRESSES = 1_000;

const MIN_TOKEN_LENGTH = 16;

/** Completes "must be ...". */
export const TOKEN_RULE = `at least ${MIN_TOKEN_LENGTH} printable ASCII characters, without spaces at the ends`;

/** Whether the token follows `TOKEN_RULE`. A browser sends it in a header, which loses outer spaces. */
export function isUsableToken(token: string): boolean {
  return token.length >= MIN_TOKEN_LENGTH && /^[\x20-\x7e]+$/.test(token) && token === token.trim();
}

/** The right token is always accepted: nobody can lock its holder out with wrong ones. */
export class TokenCheck {
  readonly #digest: Buffer;
  readonly #clock: Clock;
  readonly #wrong = new Map<string, number>();
  #minuteStartedAt: number;

  constructor(token: string, clock: Clock) {
    this.#digest = digest(token);
    this.#clock = clock;
    this.#minuteStartedAt = clock.monotonic();
  }

  /** @param authorization the Authorization header */
  check(authorization: string | undefined, address: string): TokenVerdict {
    const given = /^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '';
    // Digests have equal lengths, so the duration of the comparison is independent of the token.
    if (timingSafeEqual(digest(given), this.#digest)) return 'right';
    const now = this.#clock.monotonic();
    if (now - this.#minuteStartedAt >= MINUTE_MS) {
      this.#wrong.clear();
      this.#minuteStartedAt = now;
    }
    const counter = this.#wrong.has(address) || this.#wrong.size < MAX_ADDRESSES ? address : 'others';
    const count = (this.#wrong.get(counter) ?? 0) + 1;
    this.#wrong.set(counter, count);
    return count > MAX_WRONG ? 'too_many_wrong' : 'wrong';
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

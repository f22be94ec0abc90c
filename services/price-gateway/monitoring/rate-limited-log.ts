// Limits the rate of warnings that every price can cause.

import type { Logger } from 'tickbus';

/** Writes at most one line per topic and interval. The next line has the number of suppressed lines in `leftOut`. */
export class RateLimitedLog {
  readonly #logger: Logger;
  readonly #intervalMs: number;
  readonly #topics = new Map<string, { readonly writtenAt: number; leftOut: number }>();

  /** @param intervalMs default 10,000 */
  constructor(logger: Logger, intervalMs = 10_000) {
    this.#logger = logger;
    this.#intervalMs = intervalMs;
  }

  warn(topic: string, fields: object, message: string): void {
    const last = this.#topics.get(topic);
    const now = performance.now();
    if (last !== undefined && now - last.writtenAt < this.#intervalMs) {
      last.leftOut++;
      return;
    }
    this.#topics.set(topic, { writtenAt: now, leftOut: 0 });
    this.#logger.warn({ ...fields, leftOut: last?.leftOut ?? 0 }, message);
  }
}

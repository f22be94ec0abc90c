// Logs the problems of a lease, with one warning per outage.

import type { Logger } from '../runtime/logger.ts';

/** Logs the first problem and ignores further ones until `end` is called. */
export class OutageLog {
  readonly #logger: Logger;
  readonly #lease: string;
  #isLogged = false;

  constructor(logger: Logger, lease: string) {
    this.#logger = logger;
    this.#lease = lease;
  }

  warnOnce(text: string, err?: unknown): void {
    if (!this.#isLogged)
      this.#logger.warn({ lease: this.#lease, ...(err === undefined ? {} : { err }) }, text);
    this.#isLogged = true;
  }

  /** Ends the outage: the next problem is logged again. */
  end(): void {
    this.#isLogged = false;
  }
}

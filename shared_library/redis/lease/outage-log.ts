// Logs a lease's problems once an outage.

import type { Logger } from '../runtime/logger.ts';

/** Warns once until `end` is called. */
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

  /** The next problem is a new outage. */
  end(): void {
    this.#isLogged = false;
  }
}

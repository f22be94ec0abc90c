// Logs the problems of a lease, with one warning per outage and cause.

import { TickbusError } from '../errors.ts';
import type { Logger } from '../runtime/logger.ts';

/** Logs the first problem of each kind and ignores further ones until `end` is called. */
export class OutageLog {
  readonly #logger: Logger;
  readonly #lease: string;
  /** The kinds of problems that are already logged: text, error code and field. */
  readonly #logged = new Set<string>();

  #problem: string | undefined;

  constructor(logger: Logger, lease: string) {
    this.#logger = logger;
    this.#lease = lease;
  }

  /** Why the last attempt to acquire or renew failed, as sentences; undefined if it succeeded or only has to wait. */
  get problem(): string | undefined {
    return this.#problem;
  }

  warnOnce(text: string, err?: unknown): void {
    this.#problem = err instanceof Error ? `${text} ${err.message}` : text;
    const { code = '', field = '' } = err instanceof TickbusError ? err : {};
    const kind = `${text} ${code} ${field}`;
    if (this.#logged.has(kind)) return;
    this.#logged.add(kind);
    this.#logger.warn({ lease: this.#lease, ...(err === undefined ? {} : { err }) }, text);
  }

  /** Ends the outage: the next problem is logged again. */
  end(): void {
    this.#problem = undefined;
    this.#logged.clear();
  }
}

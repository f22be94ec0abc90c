// Commands with an unknown outcome, and the epoch of their first attempt.

/** Above this number, the oldest commands are dropped. Their retries rely on the ids that the server remembers. */
const MAX_COMMANDS = 10_000;
/** No epoch is 0, so a retry is published only if the server remembers its id, and then has no effect. */
const NO_EPOCH = 0;

/**
 * A retry is safe only while the server remembers the id. In an epoch other than that of the first attempt, the server
 * may have lost it.
 */
export class UnsettledCommands {
  readonly #epochs = new Map<string, number>();

  /** Keeps the epoch of the first attempt; later attempts are retries. Undefined: it is not known. */
  add(id: string, epoch = NO_EPOCH): void {
    if (this.#epochs.has(id)) return;
    this.#epochs.set(id, epoch);
    if (this.#epochs.size <= MAX_COMMANDS) return;
    const [oldest] = this.#epochs.keys();
    if (oldest !== undefined) this.#epochs.delete(oldest);
  }

  delete(id: string): void {
    this.#epochs.delete(id);
  }

  epochOf(id: string): number | undefined {
    return this.#epochs.get(id);
  }
}

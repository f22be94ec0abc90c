// Commands whose outcome is unknown, and the epoch in which each was sent first.

/** The oldest beyond this are dropped: their retry then relies on the ids that the server remembers. */
const MAX_COMMANDS = 10_000;

/**
 * A retry under the same id is harmless only while the server remembers the id. If its memory is of another epoch, that is not certain.
 */
export class UnsettledCommands {
  readonly #epochs = new Map<string, number>();

  /** The first attempt counts: a later one is already a retry. */
  add(id: string, epoch: number | undefined): void {
    if (epoch === undefined || this.#epochs.has(id)) return;
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

// The ids of recent commands, so that a command that reaches the server twice is handled once.

/** Enough for minutes of commands; two sets of this size take a few MB at most. */
const IDS_PER_SET = 10_000;

export class RecentIds {
  #current = new Set<string>();
  #previous = new Set<string>();

  /** True for each of the last 10,000 ids, and for some older ones. */
  has(id: string): boolean {
    return this.#current.has(id) || this.#previous.has(id);
  }

  add(id: string): void {
    if (this.#current.size === IDS_PER_SET) {
      this.#previous = this.#current;
      this.#current = new Set();
    }
    this.#current.add(id);
  }
}

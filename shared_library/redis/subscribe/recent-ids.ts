// The ids heard lately, so that a command that reaches the server twice is acted upon once.

/** Enough for minutes of commands, and a few MB at the most. */
const MAX_IDS = 10_000;

export class RecentIds {
  #young = new Set<string>();
  #old = new Set<string>();

  /** Whether it is among the last 10,000 at least. */
  has(id: string): boolean {
    return this.#young.has(id) || this.#old.has(id);
  }

  add(id: string): void {
    if (this.#young.size === MAX_IDS) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(id);
  }
}

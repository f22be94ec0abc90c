// The ids heard lately, so that a command that reaches the server twice is acted upon once.

/** Enough for minutes of commands, and a few MB at the most. */
const MAX_IDS = 10_000;

export class RecentIds {
  #young = new Set<string>();
  #old = new Set<string>();

  /** False when the id was among the last 10,000 at least. */
  add(id: string): boolean {
    if (this.#young.has(id) || this.#old.has(id)) return false;
    if (this.#young.size === MAX_IDS) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(id);
    return true;
  }
}

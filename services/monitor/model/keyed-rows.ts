// Rows by key that remember which of them have changed since they were last taken.

export class KeyedRows<Row> {
  readonly #rows = new Map<string, Row>();
  readonly #changed = new Set<string>();
  readonly #limit: number;

  /** @param limit the most rows; past it new keys are not taken up */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  /** False when there is no room for another key. */
  set(key: string, row: Row): boolean {
    if (!this.#rows.has(key) && this.#rows.size >= this.#limit) return false;
    this.#rows.set(key, row);
    this.#changed.add(key);
    return true;
  }

  all(): Row[] {
    return [...this.#rows.values()];
  }

  /** The rows that were set since the last call. */
  takeChanged(): Row[] {
    const changed: Row[] = [];
    for (const key of this.#changed) {
      const row = this.#rows.get(key);
      if (row !== undefined) changed.push(row);
    }
    this.#changed.clear();
    return changed;
  }
}

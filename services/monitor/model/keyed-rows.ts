// Rows by key, with the set of changed rows.

export class KeyedRows<Row> {
  readonly #rows = new Map<string, Row>();
  readonly #changed = new Set<string>();
  readonly #limit: number;

  /** @param limit maximum number of rows; further keys are rejected */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  /** Returns false if the key is new and the limit is reached. */
  set(key: string, row: Row): boolean {
    if (!this.#rows.has(key) && this.#rows.size >= this.#limit) return false;
    this.#rows.set(key, row);
    this.#changed.add(key);
    return true;
  }

  all(): Row[] {
    return [...this.#rows.values()];
  }

  /** Returns the rows set since the previous call. */
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

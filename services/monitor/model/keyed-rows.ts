// Rows by key, with the changes since the page was last updated. The caller limits the number of rows.

export class KeyedRows<Key, Row> {
  readonly #rows = new Map<Key, Row>();
  readonly #changed = new Set<Key>();
  /** Keys added since the last `takeChanged`; the page does not know them yet. */
  readonly #unsent = new Set<Key>();
  readonly #removed = new Set<Key>();

  get size(): number {
    return this.#rows.size;
  }

  get(key: Key): Row | undefined {
    return this.#rows.get(key);
  }

  set(key: Key, row: Row): void {
    if (!this.#rows.has(key)) this.#unsent.add(key);
    this.#rows.set(key, row);
    this.#changed.add(key);
  }

  delete(key: Key): void {
    if (!this.#rows.delete(key)) return;
    this.#changed.delete(key);
    if (!this.#unsent.delete(key)) this.#removed.add(key);
  }

  /** In the order of their addition. */
  all(): Row[] {
    return [...this.#rows.values()];
  }

  values(): Iterable<Row> {
    return this.#rows.values();
  }

  /** Returns the rows set since the previous call. */
  takeChanged(): Row[] {
    const changed: Row[] = [];
    for (const key of this.#changed) {
      const row = this.#rows.get(key);
      if (row !== undefined) changed.push(row);
    }
    this.#changed.clear();
    this.#unsent.clear();
    return changed;
  }

  /** Returns the keys deleted since the previous call. The page deletes them before it adds the changed rows. */
  takeRemoved(): Key[] {
    const removed = [...this.#removed];
    this.#removed.clear();
    return removed;
  }
}

// A map that forgets its stalest entries when it has too many. It is used if a peer chooses the keys.

export interface BoundedMapOptions<V> {
  readonly limit: number;
  /** True for an entry that is never evicted. */
  readonly isKept: (value: V) => boolean;
  /** Called when entries were evicted, with their number. */
  readonly onEvicted: (count: number) => void;
}

/** Entries are in the order of their last `set`. Above the limit, the stalest entries are evicted down to 90% of it. */
export class BoundedMap<V> {
  readonly #options: BoundedMapOptions<V>;
  readonly #entries = new Map<string, V>();
  /** Above this size, entries are evicted. It grows while all entries are kept. */
  #evictAbove: number;

  constructor(options: BoundedMapOptions<V>) {
    this.#options = options;
    this.#evictAbove = options.limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#evictAbove) this.#evict(key);
  }

  /** Replaces each value; the order stays. */
  update(change: (value: V) => V): void {
    for (const [key, value] of this.#entries) this.#entries.set(key, change(value));
  }

  clear(): void {
    this.#entries.clear();
  }

  #evict(newest: string): void {
    const { limit, isKept, onEvicted } = this.#options;
    const before = this.#entries.size;
    const target = Math.floor(limit * 0.9);
    for (const [key, value] of this.#entries) {
      if (this.#entries.size <= target) break;
      if (key !== newest && !isKept(value)) this.#entries.delete(key);
    }
    this.#evictAbove = Math.max(limit, Math.ceil(this.#entries.size * 1.1));
    if (this.#entries.size < before) onEvicted(before - this.#entries.size);
  }
}

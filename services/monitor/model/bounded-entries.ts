// A map from names to entries with a maximum size. At the limit, a new name drops the stalest entries.

interface Entry<Value> {
  readonly value: Value;
  readonly firstHeardAt: number;
  heardAt: number;
}

/** Fraction of the limit to drop at a time. Otherwise each name of a flood would cause a sort of all entries. */
const DROPPED_PART = 0.05;

/**
 * A new name is always added. At the limit, entries are dropped whose silence most exceeds the time over which they
 * have reported: one that reported for an hour outranks a new name until it has been silent for an hour. So a flood of
 * new names drops its own entries, and none that reports regularly.
 */
export class BoundedEntries<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #limit: number;
  readonly #onDrop: (name: string, value: Value) => void;
  #dropped = 0;

  /** @param onDrop called for each dropped entry */
  constructor(limit: number, onDrop: (name: string, value: Value) => void = () => {}) {
    this.#limit = limit;
    this.#onDrop = onDrop;
  }

  /** Entries dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  get(name: string): Value | undefined {
    return this.#entries.get(name)?.value;
  }

  delete(name: string): void {
    this.#entries.delete(name);
  }

  /** Adds an entry, or replaces its value. */
  set(name: string, value: Value, now: number): void {
    const known = this.#entries.get(name);
    if (known === undefined && this.#entries.size >= this.#limit) this.#dropStalest();
    this.#entries.set(name, { value, firstHeardAt: known?.firstHeardAt ?? now, heardAt: now });
  }

  /** Records that an entry has reported now. Ignores an unknown name. */
  touch(name: string, now: number): void {
    const entry = this.#entries.get(name);
    if (entry !== undefined) entry.heardAt = now;
  }

  *values(): Iterable<Value> {
    for (const { value } of this.#entries.values()) yield value;
  }

  #dropStalest(): void {
    const keptUntil = ({ heardAt, firstHeardAt }: Entry<Value>) => 2 * heardAt - firstHeardAt;
    const stalest = [...this.#entries].sort(([, a], [, b]) => keptUntil(a) - keptUntil(b));
    for (const [name, { value }] of stalest.slice(0, Math.max(1, this.#limit * DROPPED_PART))) {
      this.#entries.delete(name);
      this.#dropped++;
      this.#onDrop(name, value);
    }
  }
}

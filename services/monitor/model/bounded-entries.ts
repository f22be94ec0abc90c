// Entries by name, at most as many as the limit: a new name drops the stalest ones.

interface Entry<Value> {
  readonly value: Value;
  readonly firstHeardAt: number;
  heardAt: number;
}

/** A part of the limit is dropped at a time, so that a flood of new names does not sort all entries for each. */
const DROPPED_PART = 0.05;

/**
 * An entry is kept for as long again as it was heard: a bot that has reported for an hour goes after an hour of
 * silence, a name that was heard once goes first. So new names drop each other before they drop anything that reports
 * regularly, and no number of them keeps another new name out.
 */
export class BoundedEntries<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #limit: number;
  readonly #onDrop: (name: string, value: Value) => void;
  #dropped = 0;

  /** @param onDrop called for each entry that makes room */
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

  /** Adds an entry, or replaces its value. */
  set(name: string, value: Value, now: number): void {
    const known = this.#entries.get(name);
    if (known === undefined && this.#entries.size >= this.#limit) this.#dropStalest();
    this.#entries.set(name, { value, firstHeardAt: known?.firstHeardAt ?? now, heardAt: now });
  }

  /** Records that an entry was heard of. */
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

// The event list, newest last. Repeated events share one row with a count.

import type { EventRow, Severity } from '../page-protocol.ts';

const MAX_EVENTS = 500;
/** An equal event within this time increments the count of the existing row. */
const REPEAT_WINDOW_MS = 10_000;

export class EventLog {
  readonly #rows: EventRow[] = [];
  readonly #changed = new Map<number, EventRow>();
  /** The newest row by kind and text. */
  readonly #recent = new Map<string, EventRow>();
  #next = 1;

  add(kind: EventRow['kind'], severity: Severity, text: string, now: number): void {
    const key = `${kind} ${text}`;
    const before = this.#recent.get(key);
    const isRepeated = before !== undefined && now - before.at < REPEAT_WINDOW_MS;
    const row: EventRow = isRepeated
      ? { ...before, count: before.count + 1 }
      : { n: this.#next++, at: Math.round(now), kind, severity, text, count: 1 };
    this.#recent.set(key, row);
    this.#changed.set(row.n, row);
    const index = isRepeated ? this.#rows.findIndex(({ n }) => n === row.n) : -1;
    if (index >= 0) this.#rows[index] = row;
    else this.#rows.push(row);
    if (this.#rows.length > MAX_EVENTS) this.#evictOldest();
  }

  /** Oldest first. */
  rows(): EventRow[] {
    return [...this.#rows];
  }

  takeChanged(): EventRow[] {
    const changed = [...this.#changed.values()];
    this.#changed.clear();
    return changed;
  }

  #evictOldest(): void {
    const oldest = this.#rows.shift();
    if (oldest === undefined) return;
    this.#changed.delete(oldest.n);
    const key = `${oldest.kind} ${oldest.text}`;
    if (this.#recent.get(key)?.n === oldest.n) this.#recent.delete(key);
  }
}

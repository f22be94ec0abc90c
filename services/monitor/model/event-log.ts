// What happened, newest last; what is told again and again is one row with a count.

import type { EventRow, Severity } from '../page-protocol.ts';

const MAX_EVENTS = 500;
/** The same within this time is counted instead of told again. */
const REPEAT_WINDOW_MS = 10_000;

export class EventLog {
  readonly #rows: EventRow[] = [];
  readonly #changed = new Map<number, EventRow>();
  /** By what it says: where the newest row of it stands. */
  readonly #recent = new Map<string, EventRow>();
  #next = 1;

  add(kind: EventRow['kind'], severity: Severity, text: string, now: number): void {
    const same = `${kind} ${text}`;
    const before = this.#recent.get(same);
    const isRepeated = before !== undefined && now - before.at < REPEAT_WINDOW_MS;
    const row: EventRow = isRepeated
      ? { ...before, count: before.count + 1 }
      : { n: this.#next++, at: Math.round(now), kind, severity, text, count: 1 };
    this.#recent.set(same, row);
    this.#changed.set(row.n, row);
    const place = isRepeated ? this.#rows.findIndex(({ n }) => n === row.n) : -1;
    if (place >= 0) this.#rows[place] = row;
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
    const same = `${oldest.kind} ${oldest.text}`;
    if (this.#recent.get(same)?.n === oldest.n) this.#recent.delete(same);
  }
}

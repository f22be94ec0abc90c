// The event list, newest last. Repeated events share one row with a count.

import type { EventRow, Severity } from '../page-protocol.ts';
import { KeyedRows } from './keyed-rows.ts';
import { rowSentence } from './row-text.ts';

const MAX_EVENTS = 500;
/** An equal event within this time increments the count of the existing row. */
const REPEAT_WINDOW_MS = 10_000;

/** At the limit, drops the oldest row of the kind with the most rows: a flood of one kind drops its own events. */
export class EventLog {
  readonly #rows = new KeyedRows<number, EventRow>();
  /** The newest row by kind and text. */
  readonly #recent = new Map<string, EventRow>();
  /** Number of rows, by kind. */
  readonly #counts = new Map<EventRow['kind'], number>();
  #next = 1;

  /** Rows dropped because there were too many. */
  get dropped(): number {
    return this.#next - 1 - this.#rows.size;
  }

  add(kind: EventRow['kind'], severity: Severity, sentence: string, now: number): void {
    const text = rowSentence(sentence);
    const key = `${kind} ${text}`;
    const before = this.#recent.get(key);
    const isRepeated = before !== undefined && now - before.at < REPEAT_WINDOW_MS;
    const row: EventRow = isRepeated
      ? { ...before, count: before.count + 1 }
      : { n: this.#next++, at: Math.round(now), kind, severity, text, count: 1 };
    this.#recent.set(key, row);
    this.#rows.set(row.n, row);
    if (isRepeated) return;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    if (this.#rows.size > MAX_EVENTS) this.#dropOne();
  }

  /** Oldest first. */
  rows(): EventRow[] {
    return this.#rows.all();
  }

  takeChanged(): EventRow[] {
    return this.#rows.takeChanged();
  }

  /** Numbers of the rows dropped since the previous call. */
  takeRemoved(): number[] {
    return this.#rows.takeRemoved();
  }

  #dropOne(): void {
    const [largest] = [...this.#counts].sort(([, a], [, b]) => b - a);
    if (largest === undefined) return;
    const [kind, count] = largest;
    for (const row of this.#rows.values()) {
      if (row.kind !== kind) continue;
      this.#rows.delete(row.n);
      this.#counts.set(kind, count - 1);
      const key = `${row.kind} ${row.text}`;
      if (this.#recent.get(key)?.n === row.n) this.#recent.delete(key);
      return;
    }
  }
}

// Audits refused requests of callers without the token. Anybody who reaches the monitor can send such requests, and
// AUDIT keeps only 1,000 records. So the requests are counted, and one record reports many of them.

import type { Audit, Clock, Unsubscribe } from 'tickbus';

type AuditEntry = Omit<Audit, 'tool'>;

const MIN_INTERVAL_MS = 60_000;
const MAX_INTERVAL_MS = 3_600_000;
/** Maximum addresses that a record names. It contains only the number of requests from other addresses. */
const MAX_ADDRESSES = 5;

/**
 * Reports the first refused request at once. The following ones are counted and reported together after a minute; the
 * interval doubles up to an hour while requests keep coming. Each request is in exactly one record.
 */
export class RefusedRequests {
  readonly #report: (entry: AuditEntry) => Promise<unknown>;
  readonly #clock: Clock;
  readonly #reasons = new Map<string, number>();
  readonly #addresses = new Map<string, number>();
  #count = 0;
  #since = 0;
  #intervalMs = MIN_INTERVAL_MS;
  /** Cancels the timer of the current interval; undefined outside an interval. */
  #cancel: Unsubscribe | undefined;

  constructor(report: (entry: AuditEntry) => Promise<unknown>, clock: Clock) {
    this.#report = report;
    this.#clock = clock;
  }

  /** @param reason one of a few fixed sentences */
  async add(address: string, reason: string): Promise<void> {
    if (this.#cancel === undefined) {
      this.#intervalMs = MIN_INTERVAL_MS;
      this.#startInterval();
      await this.#report({ ...REFUSED, actor: `monitor ${address}`, detail: reason });
      return;
    }
    this.#count++;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    if (this.#addresses.has(address) || this.#addresses.size < MAX_ADDRESSES)
      this.#addresses.set(address, (this.#addresses.get(address) ?? 0) + 1);
  }

  /** Reports the requests counted so far. */
  async close(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#count > 0) await this.#reportCounted();
  }

  #startInterval(): void {
    this.#since = this.#clock.monotonic();
    this.#cancel = this.#clock.after(this.#intervalMs, () => {
      this.#cancel = undefined;
      if (this.#count === 0) return;
      void this.#reportCounted();
      this.#intervalMs = Math.min(2 * this.#intervalMs, MAX_INTERVAL_MS);
      this.#startInterval();
    });
  }

  async #reportCounted(): Promise<void> {
    const named = [...this.#addresses].map(([address, count]) => `${address} (${count})`);
    const others = this.#count - [...this.#addresses.values()].reduce((sum, count) => sum + count, 0);
    if (others > 0) named.push(`others (${others})`);
    const seconds = Math.round((this.#clock.monotonic() - this.#since) / 1_000);
    const reasons = [...this.#reasons].map(([reason, count]) => `${count} times: ${reason}`);
    const detail = `${this.#count} more requests within ${seconds} s, from ${named.join(', ')}. ${reasons.join(' ')}`;
    this.#count = 0;
    this.#reasons.clear();
    this.#addresses.clear();
    await this.#report({ ...REFUSED, actor: 'monitor', detail: detail.slice(0, 1_000) });
  }
}

const REFUSED = { action: 'refused', outcome: 'refused' } as const;

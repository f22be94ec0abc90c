// By how much the clock of a venue runs ahead of that of the gateway, or how long its events are delayed.

/**
 * Without it, a gateway whose clock is seconds behind would take old events for new ones. One event with a wrong time
 * changes nothing: the second largest lead of the last events counts.
 */
export class VenueLead {
  readonly #leads: number[] = [];

  /**
   * The time before which later events are late: that of the event, unless it is further ahead than the venue's clock.
   *
   * @param time of the event, Unix milliseconds
   * @param now Unix milliseconds
   */
  limit(time: number, now: number): number {
    const { second } = this.#largest();
    return Math.min(time, second > 0 ? now + Math.min(second, MAX_LEAD_MS) + JITTER_MS : now);
  }

  /**
   * The time at the venue, Unix milliseconds: `now` before the first event. The delay of the feed is part of the lead,
   * which is negative for delayed prices and for recordings.
   */
  timeAt(now: number): number {
    const { largest, second } = this.#largest();
    // Of two events, the one that is behind may be late.
    const lead = this.#leads.length < 3 ? Math.min(largest, 0) : Math.min(second, MAX_LEAD_MS);
    return Number.isFinite(lead) ? now + lead : now;
  }

  forget(): void {
    this.#leads.length = 0;
  }

  /** Takes note of an event that is not late. */
  observe(time: number, now: number): void {
    this.#leads.push(time - now);
    if (this.#leads.length > MAX_EVENTS) this.#leads.shift();
  }

  #largest(): { readonly largest: number; readonly second: number } {
    let [largest, second] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const lead of this.#leads)
      if (lead > largest) [largest, second] = [lead, largest];
      else if (lead > second) second = lead;
    return { largest, second };
  }
}

const MAX_EVENTS = 8;
/** If many events have a wrong time, prices stand still for this long at most. */
const MAX_LEAD_MS = 60_000;
/** By how much the delay of events differs. */
const JITTER_MS = 1_000;

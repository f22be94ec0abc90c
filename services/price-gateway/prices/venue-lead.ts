// By how much the clock of a venue runs ahead of that of the gateway.

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
    let [largest, second] = [0, 0];
    for (const lead of this.#leads)
      if (lead > largest) [largest, second] = [lead, largest];
      else if (lead > second) second = lead;
    return Math.min(time, second > 0 ? now + Math.min(second, MAX_LEAD_MS) + JITTER_MS : now);
  }

  forget(): void {
    this.#leads.length = 0;
  }

  /** Takes note of an event that is not late. */
  observe(time: number, now: number): void {
    this.#leads.push(time - now);
    if (this.#leads.length > MAX_EVENTS) this.#leads.shift();
  }
}

const MAX_EVENTS = 8;
/** If many events have a wrong time, prices stand still for this long at most. */
const MAX_LEAD_MS = 60_000;
/** By how much the delay of events differs. */
const JITTER_MS = 1_000;

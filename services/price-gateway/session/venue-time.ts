// The time at the venue, which is behind that of the gateway for delayed prices and for recordings.

export class VenueTime {
  /** The shortest time from an event to its arrival, milliseconds. */
  #lagMs = Number.POSITIVE_INFINITY;

  /**
   * Takes note of an event. Events that the venue sends again, late, change nothing.
   *
   * @param time of the event, Unix milliseconds
   * @param now Unix milliseconds
   */
  observe(time: number, now: number): void {
    if (now - time < this.#lagMs) this.#lagMs = Math.max(0, now - time);
  }

  /** Unix milliseconds, never later than `now`; -Infinity before the first event. */
  at(now: number): number {
    return now - this.#lagMs;
  }

  forget(): void {
    this.#lagMs = Number.POSITIVE_INFINITY;
  }
}

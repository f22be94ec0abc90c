// A lower bound of the server's clock. A writer stamps messages with it before the server executes them.

/** Maximum rate at which a clock is corrected, in milliseconds per millisecond: the slew rate of NTP. */
const DRIFT = 0.000_5;

/**
 * The server's time is at least the time in its last reply plus the time since that reply arrived. So a stamp is early
 * by the latency of the fastest recent reply plus its own batch's time in flight. It is never late, unless the server's
 * clock is set back.
 */
export class StampClock {
  /** The highest known lower bound of server time minus monotonic time, in milliseconds. */
  #offset = Number.NEGATIVE_INFINITY;
  /** When that bound was observed (monotonic). */
  #knownAt = 0;

  /**
   * Records a reply with the server time `serverAt` that arrived at `receivedAt` (monotonic). `stamp` is the timestamp
   * of its batch. All are in milliseconds.
   */
  observe(serverAt: number, receivedAt: number, stamp = Number.NEGATIVE_INFINITY): void {
    const offset = serverAt - receivedAt;
    // A late stamp means that the server's clock was set back, which invalidates the earlier bound.
    if (offset < this.#offsetAt(receivedAt) && stamp <= serverAt) return;
    this.#offset = offset;
    this.#knownAt = receivedAt;
  }

  /** The bound at a monotonic time, in whole Unix milliseconds. */
  at(monotonic: number): number {
    return Math.floor(monotonic + this.#offsetAt(monotonic));
  }

  #offsetAt(monotonic: number): number {
    return this.#offset - (monotonic - this.#knownAt) * DRIFT;
  }
}

// What the server's clock says at least, so that a writer can stamp messages before the server executes them.

/** Milliseconds a clock may be corrected by in one millisecond: what NTP allows itself. */
const DRIFT = 0.000_5;

/**
 * The server's time was at least what it last answered plus the time since that answer arrived. So a stamp is early by the way of the
 * fastest recent answer and by as long as its own batch is under way, and never late, unless the server's clock is set back.
 */
export class StampClock {
  /** The highest known lower bound of server time minus monotonic time, in milliseconds, and when it was known. */
  #offset = Number.NEGATIVE_INFINITY;
  #knownAt = 0;

  /** The server answered at `receivedAt` (monotonic) that its time was `serverAt`. `stamp`: what was expected of it. Milliseconds. */
  observe(serverAt: number, receivedAt: number, stamp = Number.NEGATIVE_INFINITY): void {
    const offset = serverAt - receivedAt;
    // A stamp that turns out late shows a clock that was set back: nothing that was known before holds.
    if (offset < this.#offsetAt(receivedAt) && stamp <= serverAt) return;
    this.#offset = offset;
    this.#knownAt = receivedAt;
  }

  /** Whole Unix milliseconds. */
  at(monotonic: number): number {
    return Math.floor(monotonic + this.#offsetAt(monotonic));
  }

  #offsetAt(monotonic: number): number {
    return this.#offset - (monotonic - this.#knownAt) * DRIFT;
  }
}

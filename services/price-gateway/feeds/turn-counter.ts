// Counts costly messages within one turn of the event loop, to detect a broker that sends too many of them.

export class TurnCounter {
  #count = 0;

  /** Returns the sum since the turn began. */
  add(count: number): number {
    if (this.#count === 0) {
      setImmediate(() => {
        this.#count = 0;
      });
    }
    this.#count += count;
    return this.#count;
  }
}

// Counts within one turn of the event loop, to find a broker that sends too much of what is costly to read.

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

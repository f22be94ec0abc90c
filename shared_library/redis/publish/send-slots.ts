// A limit on the batches in flight of all partitions of a channel, so that batches are as large as without partitions.

/** As many as an exclusive writer has in flight. */
const SLOTS = 4;

/**
 * Batches of single partitions would be small: a burst of 100 messages is 16 batches of 6. While all slots are taken,
 * the messages of a partition wait and form a larger batch. A slot that becomes free goes to the partition that has
 * waited longest.
 */
export class SendSlots {
  #free = SLOTS;
  readonly #waiting = new Set<() => void>();

  /** Takes a slot. If none is free, returns false, and calls `retry` once when one may be. */
  take(retry: () => void): boolean {
    if (this.#free > 0) {
      this.#free--;
      return true;
    }
    this.#waiting.add(retry);
    return false;
  }

  /** All waiting partitions try again, in order, because the first may have nothing to send any more. */
  release(): void {
    this.#free++;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const retry of waiting) retry();
  }
}

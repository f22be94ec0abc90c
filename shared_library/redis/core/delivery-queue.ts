// What waits between a channel reader and one handler: bounded, and for `state` channels only the newest of each key.

/** A message in line, with what was dropped or merged before it. */
export interface Taken<T> {
  readonly value: T;
  /** How many older messages of the same key this one stands for. */
  readonly conflated: number;
  /** The oldest of those; undefined when there are none. */
  readonly first: T | undefined;
}

export interface DeliveryQueueOptions<T> {
  /** The most messages that may wait; on overflow the oldest is dropped. */
  readonly limit: number;
  /** Called with each message dropped by an overflow, oldest first, and what goes with it. */
  readonly onDrop: (dropped: Taken<T>) => void;
}

interface Slot<T> {
  value: T;
  readonly key: string | undefined;
  readonly turn: number;
  readonly since: number;
  conflated: number;
  first: T | undefined;
}

/** The most slots that are kept before those that are superseded are let go of, where few keys wait. */
const COMPACT_ABOVE = 1_000;

/**
 * First in, first out. A keyed message replaces the waiting ones of its key, but only those that have already waited since
 * an earlier turn of the event loop: a handler that keeps up sees every message of a burst, one that fell behind sees the
 * newest of each key and is told how many were merged into it.
 *
 * Invariant: `#newest` holds, for each key that waits, the last slot pushed for it; any other slot of that key is superseded.
 * The superseded ones are let go of whenever the slots have doubled, so that a handler that stands still holds as many messages
 * as there are keys, and not all that came.
 */
export class DeliveryQueue<T> {
  readonly #options: DeliveryQueueOptions<T>;
  #slots: Slot<T>[] = [];
  #head = 0;
  #compactAbove = COMPACT_ABOVE;
  readonly #newest = new Map<string, Slot<T>>();

  constructor(options: DeliveryQueueOptions<T>) {
    this.#options = options;
  }

  /** How many messages wait; superseded ones that were not passed over yet count too. */
  get depth(): number {
    return this.#slots.length - this.#head;
  }

  /** Since when the oldest of them has been waiting, as `push` was told; undefined when none waits. */
  get oldestSince(): number | undefined {
    return this.#slots[this.#head]?.since;
  }

  /**
   * Adds a message; `key` undefined means it is never merged.
   *
   * @param turn the number of the event loop's turn
   * @param since when that turn began
   */
  push(value: T, key: string | undefined, turn: number, since = 0): void {
    const slot: Slot<T> = { value, key, turn, since, conflated: 0, first: undefined };
    this.#slots.push(slot);
    if (key !== undefined) this.#newest.set(key, slot);
    if (this.depth > this.#options.limit) this.#makeRoom(turn);
    else if (this.#slots.length > this.#compactAbove && this.#newest.size > 0) this.#compact(turn);
  }

  /** The next message to handle in this turn; undefined when none waits. */
  take(turn: number): Taken<T> | undefined {
    for (let slot = this.#shift(); slot !== undefined; slot = this.#shift()) {
      if (!this.#mergeAway(slot, turn)) {
        if (slot.key !== undefined && this.#newest.get(slot.key) === slot) this.#newest.delete(slot.key);
        return slot;
      }
    }
    return undefined;
  }

  clear(): void {
    this.#slots = [];
    this.#head = 0;
    this.#newest.clear();
  }

  /** True when the slot was superseded by a newer one of its key, which then stands for it too. */
  #mergeAway(slot: Slot<T>, turn: number): boolean {
    if (slot.key === undefined || slot.turn === turn) return false;
    const newest = this.#newest.get(slot.key);
    if (newest === undefined || newest === slot) return false;
    newest.conflated += slot.conflated + 1;
    newest.first ??= slot.first ?? slot.value;
    return true;
  }

  /** Merges whatever may be merged. */
  #compact(turn: number): void {
    this.#slots = this.#slots.slice(this.#head).filter((slot) => !this.#mergeAway(slot, turn));
    this.#head = 0;
    this.#compactAbove = Math.max(COMPACT_ABOVE, 2 * this.#slots.length);
  }

  /** Over the limit: first merge, then drop the oldest. */
  #makeRoom(turn: number): void {
    this.#compact(turn);
    while (this.depth > this.#options.limit) {
      const dropped = this.#shift();
      if (dropped === undefined) return;
      if (dropped.key !== undefined && this.#newest.get(dropped.key) === dropped)
        this.#newest.delete(dropped.key);
      this.#options.onDrop(dropped);
    }
  }

  #shift(): Slot<T> | undefined {
    const slot = this.#slots[this.#head];
    if (slot === undefined) return undefined;
    this.#head++;
    if (this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
    return slot;
  }
}

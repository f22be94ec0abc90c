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

/** A place in the line, linked to its neighbours. */
interface Slot<T> {
  value: T;
  /** Undefined for a message without a key, and for one that was left behind by its key's slot. */
  readonly key: string | undefined;
  /** The slot of the same key that this one was left behind by, while it waits. */
  heir: Slot<T> | undefined;
  turn: number;
  since: number;
  /** The earliest `since` of this message and of those that stood directly before it and were superseded. */
  oldestSince: number;
  conflated: number;
  first: T | undefined;
  before: Slot<T> | undefined;
  after: Slot<T> | undefined;
}

/** So many messages may always be superseded before it is forgotten since when they had been waiting. */
const FORGET_ABOVE = 1_000;

/**
 * First in, first out. A keyed message replaces the waiting ones of its key, but only those that have already waited since
 * an earlier turn of the event loop: a handler that keeps up sees every message of a burst, one that fell behind sees the
 * newest of each key and is told how many were merged into it. What was merged is told with the newest of its key.
 *
 * Each key that waits has one slot, which `#byKey` names. It holds the newest message, and goes to the end of the line with each
 * one that comes. What it held before is merged when that came in an earlier turn; otherwise it is left behind in a slot of its
 * own, to be merged when a message comes in a later turn or when it is passed over. So a handler that stands still holds as many
 * messages as there are keys, besides those of one turn, and each new one costs it a look for its key and a few links.
 */
export class DeliveryQueue<T> {
  readonly #options: DeliveryQueueOptions<T>;
  readonly #byKey = new Map<string, Slot<T>>();
  #head: Slot<T> | undefined;
  #tail: Slot<T> | undefined;
  #depth = 0;
  /** The turn of the last push, and how many slots wait that were left behind in it. */
  #turn = 0;
  #leftBehind = 0;
  #superseded = 0;

  constructor(options: DeliveryQueueOptions<T>) {
    this.#options = options;
  }

  /** How many messages wait. Those of the last push's turn count all, until the next push merges them or they are passed over. */
  get depth(): number {
    return this.#depth;
  }

  /**
   * Since when the oldest of them has been waiting, as `push` was told; undefined when none waits. Superseded ones that were not
   * passed over yet count too, until more have been superseded than wait.
   */
  get oldestSince(): number | undefined {
    return this.#head?.oldestSince;
  }

  /**
   * Adds a message; `key` undefined means it is never merged.
   *
   * @param turn the number of the event loop's turn
   * @param since when that turn began
   */
  push(value: T, key: string | undefined, turn: number, since = 0): void {
    if (turn !== this.#turn) this.#beginTurn(turn);
    const slot = key === undefined ? undefined : this.#byKey.get(key);
    if (slot === undefined) this.#append(value, key, turn, since);
    else this.#replace(slot, value, turn, since);
    while (this.#depth > this.#options.limit) {
      const dropped = this.#shift();
      if (dropped === undefined) return;
      this.#options.onDrop(dropped);
    }
  }

  /** The next message to handle in this turn; undefined when none waits. */
  take(turn: number): Taken<T> | undefined {
    for (let slot = this.#head; slot !== undefined; slot = this.#head) {
      if (slot.heir === undefined || slot.turn === turn) break;
      mergeInto(slot.heir, slot.value);
      this.#shift();
    }
    return this.#shift();
  }

  clear(): void {
    this.#byKey.clear();
    this.#head = undefined;
    this.#tail = undefined;
    this.#depth = 0;
    this.#leftBehind = 0;
    this.#superseded = 0;
  }

  #append(value: T, key: string | undefined, turn: number, since: number): void {
    const slot = newSlot(value, key, turn, since);
    if (key !== undefined) this.#byKey.set(key, slot);
    this.#linkLast(slot);
    this.#depth++;
  }

  #replace(slot: Slot<T>, value: T, turn: number, since: number): void {
    if (slot.turn === turn) {
      this.#leaveBehind(slot);
      this.#linkLast(slot);
      slot.oldestSince = since;
    } else {
      mergeInto(slot, slot.value);
      this.#superseded++;
      if (slot !== this.#tail) {
        this.#unlink(slot);
        this.#linkLast(slot);
        slot.oldestSince = since;
      }
    }
    slot.value = value;
    slot.turn = turn;
    slot.since = since;
    if (this.#superseded > Math.max(FORGET_ABOVE, this.#depth)) this.#forgetSuperseded();
  }

  /** The message of this slot stays where it stands, in a slot of its own. */
  #leaveBehind(slot: Slot<T>): void {
    const left = newSlot(slot.value, undefined, slot.turn, slot.since);
    left.heir = slot;
    left.oldestSince = slot.oldestSince;
    left.before = slot.before;
    left.after = slot.after;
    if (left.before === undefined) this.#head = left;
    else left.before.after = left;
    if (left.after === undefined) this.#tail = left;
    else left.after.before = left;
    this.#leftBehind++;
    this.#depth++;
  }

  /** Merges what was left behind in the turn that is over, whose slots are the last ones in line. */
  #beginTurn(turn: number): void {
    const over = this.#turn;
    this.#turn = turn;
    if (this.#leftBehind === 0) return;
    let slot = this.#tail;
    while (slot?.before?.turn === over) slot = slot.before;
    while (slot !== undefined) {
      const { heir, value, after } = slot;
      if (heir !== undefined) {
        mergeInto(heir, value);
        this.#superseded++;
        this.#unlink(slot);
        letGo(slot);
        this.#depth--;
      }
      slot = after;
    }
    this.#leftBehind = 0;
  }

  #forgetSuperseded(): void {
    this.#superseded = 0;
    for (let slot = this.#head; slot !== undefined; slot = slot.after) slot.oldestSince = slot.since;
  }

  #linkLast(slot: Slot<T>): void {
    slot.before = this.#tail;
    slot.after = undefined;
    if (this.#tail === undefined) this.#head = slot;
    else this.#tail.after = slot;
    this.#tail = slot;
  }

  /** Takes a superseded slot, which is never the last one, out of the line. */
  #unlink({ before, after, oldestSince }: Slot<T>): void {
    if (after === undefined) return;
    after.before = before;
    after.oldestSince = oldestSince;
    if (before === undefined) this.#head = after;
    else before.after = after;
  }

  #shift(): Slot<T> | undefined {
    const slot = this.#head;
    if (slot === undefined) return undefined;
    const { key, heir, after } = slot;
    if (key !== undefined) this.#byKey.delete(key);
    if (heir !== undefined) this.#leftBehind--;
    this.#depth--;
    this.#head = after;
    if (after === undefined) {
      this.#tail = undefined;
      this.#superseded = 0;
    } else after.before = undefined;
    letGo(slot);
    return slot;
  }
}

function newSlot<T>(value: T, key: string | undefined, turn: number, since: number): Slot<T> {
  return {
    value,
    key,
    heir: undefined,
    turn,
    since,
    oldestSince: since,
    conflated: 0,
    first: undefined,
    before: undefined,
    after: undefined,
  };
}

/** The message of this slot stands for that value too. */
function mergeInto<T>(slot: Slot<T>, value: T): void {
  slot.conflated++;
  slot.first ??= value;
}

/** Old garbage that still names younger slots would keep them, and their messages, from being collected with the young. */
function letGo<T>(slot: Slot<T>): void {
  slot.heir = undefined;
  slot.before = undefined;
  slot.after = undefined;
}

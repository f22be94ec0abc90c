// The bounded queue before one handler. On `state` channels it merges the waiting messages of a key.

/** A message from the queue, with the older messages that were merged into it. */
export interface QueuedMessage<T> {
  readonly value: T;
  /** How many older messages of the same key were merged into this one. */
  readonly conflated: number;
  /** The oldest of the merged messages; undefined if there are none. */
  readonly first: T | undefined;
}

export interface DeliveryQueueOptions<T> {
  /** The maximum number of waiting messages; on overflow the oldest is dropped. */
  readonly limit: number;
  /** The maximum size of all waiting messages, those in `first` included, in bytes; beyond it the oldest is dropped. */
  readonly maxBytes: number;
  readonly sizeOf: (value: T) => number;
  /** Called with each message dropped by an overflow, oldest first, and with those merged into it. */
  readonly onDrop: (dropped: QueuedMessage<T>) => void;
}

/** A node of the doubly linked list. */
interface QueueNode<T> {
  value: T;
  valueBytes: number;
  /** Undefined for a message without a key, and for one that has been split off the node of its key. */
  readonly key: string | undefined;
  /** The node from which this one was split off; it holds a newer message of the same key. */
  successor: QueueNode<T> | undefined;
  /** The turn of the event loop in which `value` was pushed. */
  turn: number;
  /** When that turn began. */
  since: number;
  /** The earliest `since` of this message and of the merged messages that were directly before it in the queue. */
  oldestSince: number;
  conflated: number;
  first: T | undefined;
  firstBytes: number;
  previous: QueueNode<T> | undefined;
  next: QueueNode<T> | undefined;
}

/** At least this many messages are merged before `oldestSince` is recomputed from the messages that still wait. */
const MIN_RESET_COUNT = 1_000;

/**
 * A FIFO queue. A keyed message supersedes the waiting messages of its key, but only those that have waited since an
 * earlier turn of the event loop. So a handler that keeps up sees every message of a burst. One that is behind gets
 * the newest message of each key, with the number of messages merged into it.
 *
 * Each waiting key has one node in `#byKey`. The node holds the newest message of the key and moves to the tail (the
 * end of the queue) with each new message. The previous message of the node is merged if it came in an earlier turn.
 * Otherwise it is split off into a separate node, which the first push or `take` of a later turn merges. So a blocked
 * handler needs memory for at most one message of each key plus the messages of one turn. A push costs one map lookup
 * and a few link updates.
 */
export class DeliveryQueue<T> {
  readonly #options: DeliveryQueueOptions<T>;
  readonly #byKey = new Map<string, QueueNode<T>>();
  #head: QueueNode<T> | undefined;
  #tail: QueueNode<T> | undefined;
  #depth = 0;
  /** The sum of `valueBytes` and `firstBytes` of all nodes. */
  #bytes = 0;
  /** The turn of the last push. */
  #turn = 0;
  /** How many waiting nodes were split off in `#turn`. */
  #unmerged = 0;
  /** How many messages were merged since `oldestSince` was last reset. */
  #superseded = 0;

  constructor(options: DeliveryQueueOptions<T>) {
    this.#options = options;
  }

  /** The number of waiting messages, including those of the last turn that a later push or `take` will merge. */
  get depth(): number {
    return this.#depth;
  }

  /** The total size of the waiting messages. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The `since` of the oldest waiting message; undefined if the queue is empty. A merged message is still considered
   * until its place reaches the front of the queue, or until more messages have been merged than wait.
   */
  get oldestSince(): number | undefined {
    return this.#head?.oldestSince;
  }

  /**
   * Adds a message.
   *
   * @param key undefined for a message that is never merged
   * @param turn the number of the event loop's turn
   * @param since when that turn began
   */
  push(value: T, key: string | undefined, turn: number, since = 0): void {
    if (turn !== this.#turn) this.#beginTurn(turn);
    const node = key === undefined ? undefined : this.#byKey.get(key);
    if (node === undefined) this.#append(value, key, turn, since);
    else this.#replace(node, value, turn, since);
    const { limit, maxBytes } = this.#options;
    while (this.#depth > limit || this.#bytes > maxBytes) {
      const dropped = this.#shift();
      if (dropped === undefined) return;
      this.#options.onDrop(dropped);
    }
  }

  /** Removes and returns the next message to handle in this turn; undefined if the queue is empty. */
  take(turn: number): QueuedMessage<T> | undefined {
    for (let node = this.#head; node !== undefined; node = this.#head) {
      if (node.successor === undefined || node.turn === turn) break;
      this.#mergeInto(node.successor, node);
      this.#shift();
    }
    return this.#shift();
  }

  clear(): void {
    this.#byKey.clear();
    this.#head = undefined;
    this.#tail = undefined;
    this.#depth = 0;
    this.#bytes = 0;
    this.#unmerged = 0;
    this.#superseded = 0;
  }

  #append(value: T, key: string | undefined, turn: number, since: number): void {
    const node = newNode(value, key, turn, since);
    this.#setValue(node, value);
    if (key !== undefined) this.#byKey.set(key, node);
    this.#linkLast(node);
    this.#depth++;
  }

  #replace(node: QueueNode<T>, value: T, turn: number, since: number): void {
    if (node.turn === turn) {
      this.#splitOff(node);
      this.#linkLast(node);
      node.oldestSince = since;
    } else {
      this.#mergeInto(node, node);
      this.#superseded++;
      if (node !== this.#tail) {
        this.#unlink(node);
        this.#linkLast(node);
        node.oldestSince = since;
      }
    }
    this.#setValue(node, value);
    node.turn = turn;
    node.since = since;
    if (this.#superseded > Math.max(MIN_RESET_COUNT, this.#depth)) this.#resetOldestSince();
  }

  /** Puts a new node with the present message of `node` in its place, so that `node` can move to the tail. */
  #splitOff(node: QueueNode<T>): void {
    const split = newNode(node.value, undefined, node.turn, node.since);
    split.valueBytes = node.valueBytes;
    split.successor = node;
    split.oldestSince = node.oldestSince;
    split.previous = node.previous;
    split.next = node.next;
    if (split.previous === undefined) this.#head = split;
    else split.previous.next = split;
    if (split.next === undefined) this.#tail = split;
    else split.next.previous = split;
    this.#unmerged++;
    this.#depth++;
  }

  /** Merges the nodes that were split off in the previous turn, which are at the end of the queue. */
  #beginTurn(turn: number): void {
    const ended = this.#turn;
    this.#turn = turn;
    if (this.#unmerged === 0) return;
    let node = this.#tail;
    while (node?.previous?.turn === ended) node = node.previous;
    while (node !== undefined) {
      const { successor, next } = node;
      if (successor !== undefined) {
        this.#mergeInto(successor, node);
        this.#superseded++;
        this.#unlink(node);
        clearLinks(node);
        this.#depth--;
      }
      node = next;
    }
    this.#unmerged = 0;
  }

  /** Gives the node a new value. The caller has already moved or subtracted the bytes of the former value. */
  #setValue(node: QueueNode<T>, value: T): void {
    node.value = value;
    node.valueBytes = this.#options.sizeOf(value);
    this.#bytes += node.valueBytes;
  }

  /** Merges the value of `older` into `node`. Both may be the same node, before it gets a new value. */
  #mergeInto(node: QueueNode<T>, older: QueueNode<T>): void {
    node.conflated++;
    if (node.first === undefined) {
      node.first = older.value;
      node.firstBytes = older.valueBytes;
    } else this.#bytes -= older.valueBytes;
    older.valueBytes = 0;
  }

  #resetOldestSince(): void {
    this.#superseded = 0;
    for (let node = this.#head; node !== undefined; node = node.next) node.oldestSince = node.since;
  }

  #linkLast(node: QueueNode<T>): void {
    node.previous = this.#tail;
    node.next = undefined;
    if (this.#tail === undefined) this.#head = node;
    else this.#tail.next = node;
    this.#tail = node;
  }

  /** Removes a superseded node, which is never the tail. */
  #unlink({ previous, next, oldestSince }: QueueNode<T>): void {
    if (next === undefined) return;
    next.previous = previous;
    next.oldestSince = oldestSince;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
  }

  #shift(): QueueNode<T> | undefined {
    const node = this.#head;
    if (node === undefined) return undefined;
    const { key, successor, next } = node;
    if (key !== undefined) this.#byKey.delete(key);
    if (successor !== undefined) this.#unmerged--;
    this.#depth--;
    this.#bytes -= node.valueBytes + node.firstBytes;
    this.#head = next;
    if (next === undefined) {
      this.#tail = undefined;
      this.#superseded = 0;
    } else next.previous = undefined;
    clearLinks(node);
    return node;
  }
}

function newNode<T>(value: T, key: string | undefined, turn: number, since: number): QueueNode<T> {
  return {
    value,
    valueBytes: 0,
    key,
    successor: undefined,
    turn,
    since,
    oldestSince: since,
    conflated: 0,
    first: undefined,
    firstBytes: 0,
    previous: undefined,
    next: undefined,
  };
}

/** A removed node in the garbage collector's old generation would keep younger nodes and their messages alive. */
function clearLinks<T>(node: QueueNode<T>): void {
  node.successor = undefined;
  node.previous = undefined;
  node.next = undefined;
}

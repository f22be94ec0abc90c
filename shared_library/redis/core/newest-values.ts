// The newest message of each key of one channel, as the bytes in which it came, and when the server stamped it.

import type { Message } from './message.ts';

/** The newest of one key. There is none while there are neither bytes nor a message. */
interface Kept {
  /** When the server stamped it, by its present clock: Unix milliseconds. NaN: it did not. */
  stamp: number;
  /** Where there is place for its bytes: so many of a page, from `at` on. */
  page: Uint8Array;
  at: number;
  capacity: number;
  /** How many bytes there are; 0: it was not kept as bytes. */
  length: number;
  /** As it came without bytes, or was read from them since it came. */
  message: Message | undefined;
}

const NO_PLACE: Uint8Array = new Uint8Array(0);
const PAGE_BYTES = 64 * 1024;
/** What needs more gets an array of its own. */
const LARGEST_IN_PAGE = 1_024;

/**
 * Bytes are copied, as what was received stands in a chunk of the socket, to a place that each key has for good, and read when somebody
 * asks: nothing that comes with a message outlives it. Kept as objects, all of them lived until their key came again, and cost the collector
 * of garbage more than the copy (0.05 µs) as soon as a process has some thousand of them. What comes without bytes is kept as it is.
 */
export class NewestValues {
  readonly #read: (bytes: Uint8Array) => Message | undefined;
  readonly #byKey = new Map<string, Kept>();
  #newest: Kept | undefined;
  #page = NO_PLACE;
  #used = 0;

  /** @param read a message from bytes that were valid when they were kept; undefined should they not be any more */
  constructor(read: (bytes: Uint8Array) => Message | undefined) {
    this.#read = read;
  }

  /**
   * @param message the newest of its key; undefined: it was there and cannot be used, so the key has none
   * @param bytes what it can be read from again
   */
  readonly set = (key: string, message: Message | undefined, bytes?: Uint8Array): void => {
    let kept = this.#byKey.get(key);
    if (kept === undefined) {
      if (message === undefined) return;
      kept = { stamp: Number.NaN, page: NO_PLACE, at: 0, capacity: 0, length: 0, message: undefined };
      this.#byKey.set(key, kept);
    }
    if (message === undefined || bytes === undefined) {
      kept.length = 0;
      kept.message = message;
    } else {
      if (!fits(kept, bytes.length)) this.#place(kept, bytes.length);
      kept.page.set(bytes, kept.at);
      kept.length = bytes.length;
      kept.message = undefined;
    }
    if (message === undefined) return;
    kept.stamp = message.at ?? Number.NaN;
    this.#newest = kept;
  };

  /** The same object until the next one comes. One that is read from bytes is an object of its own, which no handler has. */
  get(key: string): Message | undefined {
    const kept = this.#byKey.get(key);
    if (kept === undefined || kept.length === 0) return kept?.message;
    kept.message ??= this.#read(kept.page.subarray(kept.at, kept.at + kept.length));
    if (kept.message === undefined) kept.length = 0;
    return kept.message;
  }

  *keys(): Iterable<string> {
    for (const [key, kept] of this.#byKey) if (isThere(kept)) yield key;
  }

  /** When the server stamped the message of a key, by its present clock: Unix milliseconds. Nothing is read for it. */
  stampOf(key: string): number | undefined {
    const kept = this.#byKey.get(key);
    return kept !== undefined && isThere(kept) ? stampOf(kept) : undefined;
  }

  /** The stamp of the message, of any key, that was the last one to arrive. */
  get newestStamp(): number | undefined {
    return this.#newest && stampOf(this.#newest);
  }

  clockWasSet(byMs: number): void {
    for (const kept of this.#byKey.values()) kept.stamp += byMs;
  }

  /** The first place of a key is in a page, and never given back; what outgrows it gets an array of its own. */
  #place(kept: Kept, length: number): void {
    // An eighth more than is needed: the next one has a digit more.
    const capacity = (length + (length >> 3) + 15) & ~15;
    if (kept.capacity > 0 || capacity > LARGEST_IN_PAGE) {
      kept.page = new Uint8Array(capacity);
      kept.at = 0;
    } else {
      if (this.#used + capacity > this.#page.length) {
        this.#page = new Uint8Array(PAGE_BYTES);
        this.#used = 0;
      }
      kept.page = this.#page;
      kept.at = this.#used;
      this.#used += capacity;
    }
    kept.capacity = capacity;
  }
}

/** Not so when most of a large place would be empty: one large message must not take its place for ever. */
function fits({ capacity }: Kept, length: number): boolean {
  return length <= capacity && (capacity <= LARGEST_IN_PAGE || capacity <= 4 * length);
}

function isThere({ length, message }: Kept): boolean {
  return length > 0 || message !== undefined;
}

function stampOf({ stamp }: Kept): number | undefined {
  return Number.isNaN(stamp) ? undefined : stamp;
}

// The newest message of each key of one channel, kept as bytes, and its server timestamp.

import type { Message } from '../wire/message.ts';

/** The newest message of one key. The key has no value if `length` is 0 and `message` is undefined. */
interface ValueEntry {
  /** The server timestamp in Unix milliseconds, adjusted each time the server's clock was set; NaN if there is none. */
  stamp: number;
  /** Holds the message in its first `length` bytes, with room for a longer one. */
  buffer: Uint8Array;
  /** 0: the message is not kept as bytes. */
  length: number;
  /** The message that came without bytes, or that was decoded from `buffer`; undefined until it is decoded. */
  message: Message | undefined;
}

const NO_BYTES: Uint8Array = new Uint8Array(0);
/** A buffer of up to this many bytes is never replaced by a smaller one. */
const SMALL_BUFFER = 1_024;

/**
 * Keeps the bytes of each key's newest message and decodes them on demand. Message objects would live until the next
 * message of their key, which makes garbage collection expensive from a few thousand keys on. The bytes are copied into
 * a buffer of the key (0.05 µs): a reference to the received frame would keep a larger socket chunk in memory. A
 * message that comes without bytes is kept as an object.
 */
export class LatestValues {
  readonly #read: (bytes: Uint8Array) => Message | undefined;
  readonly #byKey = new Map<string, ValueEntry>();
  #newest: ValueEntry | undefined;

  /** @param read decodes a message from kept bytes; returns undefined if they are no longer valid */
  constructor(read: (bytes: Uint8Array) => Message | undefined) {
    this.#read = read;
  }

  /**
   * @param message the newest message of its key; undefined if that message is invalid, so the key has no value
   * @param bytes the encoded message, copied before this returns; undefined if not available
   */
  readonly set = (key: string, message: Message | undefined, bytes?: Uint8Array): void => {
    let kept = this.#byKey.get(key);
    if (kept === undefined) {
      if (message === undefined) return;
      kept = { stamp: Number.NaN, buffer: NO_BYTES, length: 0, message: undefined };
      this.#byKey.set(key, kept);
    }
    if (message === undefined || bytes === undefined) {
      kept.length = 0;
      kept.message = message;
    } else {
      if (!fits(kept.buffer, bytes.length)) kept.buffer = bufferFor(bytes.length);
      kept.buffer.set(bytes);
      kept.length = bytes.length;
      kept.message = undefined;
    }
    if (message === undefined) return;
    kept.stamp = message.at ?? Number.NaN;
    this.#newest = kept;
  };

  /** Returns the same object until the next message of the key. No handler shares an object decoded from bytes. */
  get(key: string): Message | undefined {
    const kept = this.#byKey.get(key);
    if (kept === undefined || kept.length === 0) return kept?.message;
    kept.message ??= this.#read(kept.buffer.subarray(0, kept.length));
    if (kept.message === undefined) kept.length = 0;
    return kept.message;
  }

  *keys(): Iterable<string> {
    for (const [key, kept] of this.#byKey) if (hasValue(kept)) yield key;
  }

  /** The server timestamp of a key's message, as in `ValueEntry`; undefined if there is none. Decodes nothing. */
  stampOf(key: string): number | undefined {
    const kept = this.#byKey.get(key);
    return kept !== undefined && hasValue(kept) ? stampOf(kept) : undefined;
  }

  /** The server timestamp of the message that arrived last, whatever its key. */
  get newestStamp(): number | undefined {
    return this.#newest && stampOf(this.#newest);
  }

  /** Forgets all values. */
  clear(): void {
    this.#byKey.clear();
    this.#newest = undefined;
  }

  /** Adjusts all timestamps after the server's clock was set. */
  shiftStamps(byMs: number): void {
    for (const kept of this.#byKey.values()) kept.stamp += byMs;
  }
}

/** Also false for a large buffer that would be mostly empty: the memory of one large message is not kept for good. */
function fits(buffer: Uint8Array, length: number): boolean {
  return length <= buffer.length && (buffer.length <= SMALL_BUFFER || buffer.length <= 4 * length);
}

/** One eighth larger than needed, because the next message may be a few digits longer. */
function bufferFor(length: number): Uint8Array {
  return Buffer.allocUnsafe(length + (length >> 3));
}

function hasValue({ length, message }: ValueEntry): boolean {
  return length > 0 || message !== undefined;
}

function stampOf({ stamp }: ValueEntry): number | undefined {
  return Number.isNaN(stamp) ? undefined : stamp;
}

// The newest message of each key of one channel, as the bytes in which it came, and when the server stamped it.

import type { Message } from '../wire/message.ts';

/** The newest message of one key. There is none while there are neither bytes nor a message. */
interface Kept {
  /** When the server stamped it, by its present clock: Unix milliseconds. NaN: it did not. */
  stamp: number;
  /** Holds the message in its first `length` bytes, and has room for a longer one. */
  buffer: Uint8Array;
  /** 0: the message was not kept as bytes. */
  length: number;
  /** The message as it came without bytes, or as it was read from them. */
  message: Message | undefined;
}

const NO_BYTES: Uint8Array = new Uint8Array(0);
/** A buffer up to this size stays with its key, however small the messages become. */
const SMALL_BUFFER = 1_024;

/**
 * Keeps the bytes of each key's newest message and reads them on demand. The bytes are copied, because the frame that they come in is
 * part of a larger chunk of the socket, into a buffer that the key keeps (0.05 µs). Kept objects would survive until the next message of
 * their key, which makes garbage collection expensive from a few thousand keys on. A message that comes without bytes is kept as it is.
 */
export class LatestValues {
  readonly #read: (bytes: Uint8Array) => Message | undefined;
  readonly #byKey = new Map<string, Kept>();
  #newest: Kept | undefined;

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

  /** The same object until the next one comes. One that is read from bytes is an object of its own, which no handler has. */
  get(key: string): Message | undefined {
    const kept = this.#byKey.get(key);
    if (kept === undefined || kept.length === 0) return kept?.message;
    kept.message ??= this.#read(kept.buffer.subarray(0, kept.length));
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
}

/** False also for a large buffer that would be mostly empty: one large message must not cost its memory for ever. */
function fits(buffer: Uint8Array, length: number): boolean {
  return length <= buffer.length && (buffer.length <= SMALL_BUFFER || buffer.length <= 4 * length);
}

/** An eighth more than needed: the next message may have a digit more. */
function bufferFor(length: number): Uint8Array {
  return Buffer.allocUnsafe(length + (length >> 3));
}

function isThere({ length, message }: Kept): boolean {
  return length > 0 || message !== undefined;
}

function stampOf({ stamp }: Kept): number | undefined {
  return Number.isNaN(stamp) ? undefined : stamp;
}

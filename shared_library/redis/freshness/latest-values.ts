// The newest message of each key of one channel, kept as bytes, and its server timestamp.

import { copyMessage } from '../wire/copy-message.ts';
import type { Message } from '../wire/message.ts';
import { largeSizeOf } from '../wire/message-size.ts';
import type { Position } from '../wire/position.ts';

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
  /** Increases with each message, of any key. */
  order: number;
  /** The position of the message. */
  epoch: number;
  seq: number;
}

export interface LatestValuesOptions {
  /** Decodes a message from kept bytes; returns undefined if they are no longer valid. */
  readonly read: (bytes: Uint8Array) => Message | undefined;
  /** True for a key that a subscription names. It is never evicted. */
  readonly isPinned?: (key: string) => boolean;
  /** Called when keys were evicted, with their number. */
  readonly onEvicted?: (keys: number) => void;
  /** The maximum number of keys. Default 100,000. */
  readonly maxKeys?: number;
  /** The maximum total size of the buffers and of large message objects, in bytes. Default 128 MiB. */
  readonly maxBytes?: number;
}

const DEFAULT_MAX_KEYS = 100_000;
const DEFAULT_MAX_BYTES = 128 * 1024 * 1024;
/** The share of the limits that an eviction keeps. It is below 1 to spread the cost over many messages. */
const KEPT_SHARE = 0.9;

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
  readonly #options: LatestValuesOptions;
  readonly #byKey = new Map<string, ValueEntry>();
  #newest: ValueEntry | undefined;
  #order = 0;
  #bytes = 0;
  /** Above these limits, keys are evicted. The limits grow while all keys are pinned. */
  #maxKeys: number;
  #maxBytes: number;

  constructor(options: LatestValuesOptions) {
    this.#options = options;
    this.#maxKeys = options.maxKeys ?? DEFAULT_MAX_KEYS;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  }

  /** The size of the buffers and of large message objects. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param message the newest message of its key; undefined if that message is invalid, so the key has no value
   * @param bytes the encoded message, copied before this returns; undefined if not available
   */
  readonly set = (key: string, message: Message | undefined, bytes?: Uint8Array): void => {
    let kept = this.#byKey.get(key);
    if (kept === undefined) {
      if (message === undefined) return;
      kept = {
        stamp: Number.NaN,
        buffer: NO_BYTES,
        length: 0,
        message: undefined,
        order: 0,
        epoch: 0,
        seq: 0,
      };
      this.#byKey.set(key, kept);
    }
    if (message === undefined || bytes === undefined) {
      this.#bytes -= objectSize(kept);
      kept.length = 0;
      // A copy, because the handlers get the message itself and may change it.
      kept.message = message && copyMessage(message);
      this.#bytes += objectSize(kept);
    } else {
      if (kept.length === 0) this.#bytes -= objectSize(kept);
      if (!fits(kept.buffer, bytes.length)) this.#replaceBuffer(kept, bytes.length);
      kept.buffer.set(bytes);
      kept.length = bytes.length;
      kept.message = undefined;
    }
    if (message === undefined) return;
    kept.stamp = message.at ?? Number.NaN;
    kept.order = ++this.#order;
    kept.epoch = message.epoch ?? 0;
    kept.seq = message.seq ?? 0;
    this.#newest = kept;
    if (this.#byKey.size > this.#maxKeys || this.#bytes > this.#maxBytes) this.#evict();
  };

  /** A copy of the message, which is decoded once. */
  get(key: string): Message | undefined {
    const kept = this.#byKey.get(key);
    if (kept === undefined) return undefined;
    if (kept.length > 0) {
      kept.message ??= this.#options.read(kept.buffer.subarray(0, kept.length));
      if (kept.message === undefined) kept.length = 0;
    }
    return kept.message && copyMessage(kept.message);
  }

  *keys(): Iterable<string> {
    for (const [key, kept] of this.#byKey) if (hasValue(kept)) yield key;
  }

  /** The position of each value, and the value as it is kept: encoded, or as an object. */
  *positions(): Iterable<readonly [key: string, position: Position, value: Uint8Array | Message]> {
    for (const [key, { epoch, seq, buffer, length, message }] of this.#byKey) {
      const value = length > 0 ? buffer.subarray(0, length) : message;
      if (value !== undefined) yield [key, { epoch, seq }, value];
    }
  }

  /** Forgets the value of a key. */
  delete(key: string): void {
    const kept = this.#byKey.get(key);
    if (kept === undefined) return;
    this.#byKey.delete(key);
    this.#bytes -= kept.buffer.length + objectSize(kept);
    if (this.#newest === kept) this.#newest = undefined;
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
    this.#bytes = 0;
  }

  /** Adjusts all timestamps after the server's clock was set. */
  shiftStamps(byMs: number): void {
    for (const kept of this.#byKey.values()) kept.stamp += byMs;
  }

  #replaceBuffer(kept: ValueEntry, length: number): void {
    this.#bytes -= kept.buffer.length;
    kept.buffer = bufferFor(length);
    this.#bytes += kept.buffer.length;
  }

  /** Removes the least recently updated keys, except pinned ones and the newest. */
  #evict(): void {
    const { onEvicted, maxKeys = DEFAULT_MAX_KEYS, maxBytes = DEFAULT_MAX_BYTES } = this.#options;
    const before = this.#byKey.size;
    let left = before + 1;
    while (
      this.#byKey.size < left &&
      (this.#byKey.size > maxKeys * KEPT_SHARE || this.#bytes > maxBytes * KEPT_SHARE)
    ) {
      left = this.#byKey.size;
      this.#evictStalest();
    }
    this.#maxKeys = Math.max(maxKeys, this.#byKey.size / KEPT_SHARE);
    this.#maxBytes = Math.max(maxBytes, this.#bytes / KEPT_SHARE);
    if (this.#byKey.size < before) onEvicted?.(before - this.#byKey.size);
  }

  /** Removes the stalest tenth of the keys that are not pinned. A typed array sorts 100,000 numbers in a few ms. */
  #evictStalest(): void {
    const { isPinned = () => false } = this.#options;
    const evictable = [...this.#byKey].filter(([key, kept]) => kept !== this.#newest && !isPinned(key));
    const orders = Float64Array.from(evictable, ([, { order }]) => order).sort();
    const last = orders[Math.floor((1 - KEPT_SHARE) * orders.length)] ?? 0;
    for (const [key, kept] of evictable) {
      if (kept.order > last) continue;
      this.delete(key);
    }
  }
}

/** The size of a message that is kept as an object only. */
function objectSize({ length, message }: ValueEntry): number {
  return length > 0 || message === undefined ? 0 : largeSizeOf(message);
}

/** False for a buffer that is too small, or large and mostly empty: one large message must not keep memory for good. */
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

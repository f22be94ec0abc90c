// The newest message of each key of one channel, and when the server stamped it.

import type { Message } from './message.ts';

/** One of `text` and `message`, or neither where the text could not be read again. */
interface Kept {
  /** When the server stamped it, by its present clock: Unix milliseconds. */
  stamp: number | undefined;
  text: string | undefined;
  message: Message | undefined;
}

/**
 * Keeps references only; nothing is computed as messages arrive. A message that comes with its text is kept as that until somebody asks
 * for it (those of a batch come without, and small ones that are like those before them): one string costs the collector of garbage next
 * to nothing, and the many small objects of a large message more than all else (measured with order books of 4 KB and 1,000 keys: three
 * times the CPU a message).
 */
export class NewestValues {
  readonly #read: (text: string) => Message | undefined;
  readonly #byKey = new Map<string, Kept>();
  #newest: Kept | undefined;

  /** @param read a message from a text that was valid when it was kept; undefined should it not be any more */
  constructor(read: (text: string) => Message | undefined) {
    this.#read = read;
  }

  /**
   * @param message the newest of its key; undefined: it was there and cannot be used, so the key has none
   * @param text what it can be read from again
   */
  readonly set = (key: string, message: Message | undefined, text?: string): void => {
    if (message === undefined) {
      this.#byKey.delete(key);
      return;
    }
    let kept = this.#byKey.get(key);
    if (kept === undefined) {
      kept = { stamp: undefined, text: undefined, message: undefined };
      this.#byKey.set(key, kept);
    }
    kept.stamp = message.at;
    kept.text = text;
    kept.message = text === undefined ? message : undefined;
    this.#newest = kept;
  };

  get(key: string): Message | undefined {
    const kept = this.#byKey.get(key);
    if (kept?.text !== undefined) {
      kept.message = this.#read(kept.text);
      kept.text = undefined;
    }
    return kept?.message;
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** When the server stamped the message of a key, by its present clock: Unix milliseconds. */
  stampOf(key: string): number | undefined {
    return this.#byKey.get(key)?.stamp;
  }

  /** The stamp of the message, of any key, that was the last one to arrive. */
  get newestStamp(): number | undefined {
    return this.#newest?.stamp;
  }

  clockWasSet(byMs: number): void {
    for (const kept of new Set([...this.#byKey.values(), ...(this.#newest ? [this.#newest] : [])]))
      if (kept.stamp !== undefined) kept.stamp += byMs;
  }
}

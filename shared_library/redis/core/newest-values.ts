// The newest message of each key of one channel, and when the server stamped it.

import type { Message } from './message.ts';

/** Keeps references only; nothing is computed as messages arrive. */
export class NewestValues {
  readonly #byKey = new Map<string, Message>();
  #newest: Message | undefined;
  /** By how much stamps are off, because the server's clock was set after them. */
  #corrections = new WeakMap<Message, number>();

  /** @param message the newest of its key; undefined: it was there and cannot be used, so the key has none */
  readonly set = (key: string, message: Message | undefined): void => {
    if (message === undefined) {
      this.#byKey.delete(key);
      return;
    }
    this.#byKey.set(key, message);
    this.#newest = message;
  };

  get(key: string): Message | undefined {
    return this.#byKey.get(key);
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** Of any key, the last one to arrive. */
  get newest(): Message | undefined {
    return this.#newest;
  }

  /** When the server stamped it, by its present clock: Unix milliseconds. */
  stampOf(message: Message): number | undefined {
    return message.at === undefined ? undefined : message.at + (this.#corrections.get(message) ?? 0);
  }

  clockWasSet(byMs: number): void {
    for (const message of new Set([...this.#byKey.values(), ...(this.#newest ? [this.#newest] : [])]))
      this.#corrections.set(message, (this.#corrections.get(message) ?? 0) + byMs);
  }
}

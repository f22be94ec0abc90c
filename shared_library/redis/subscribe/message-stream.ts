// A subscription as an async iterator. The body of the loop is the handler, so there is no other buffer than the queue.

import type { Message } from '../wire/message.ts';

interface PendingMessage {
  readonly message: Message;
  /** Notifies the subscription that the consumer has handled the message. */
  readonly acknowledge: () => void;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * Holds at most one message, which the subscription has passed to its handler. A message counts as handled when the
 * consumer requests the next one or leaves the loop.
 */
export class MessageStream implements AsyncIterableIterator<Message, undefined> {
  readonly #onEnd: () => void;
  /** The message that the consumer has not requested yet. */
  #pending: PendingMessage | undefined;
  /** The message that the consumer is handling. */
  #inFlight: PendingMessage | undefined;
  /** The `next()` calls that wait for a message. */
  #reads: ((result: IteratorResult<Message, undefined>) => void)[] = [];
  #isEnded = false;

  /** @param onEnd called once, when the consumer leaves the loop or the stream is ended */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** The subscription's handler: resolves when the consumer has handled the message. */
  push(message: Message): Promise<void> {
    return new Promise((acknowledge) => {
      if (this.#isEnded) return acknowledge();
      this.#pending = { message, acknowledge };
      this.#resolveRead();
    });
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    this.#inFlight?.acknowledge();
    this.#inFlight = undefined;
    if (this.#isEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#reads.push(resolve);
      this.#resolveRead();
    });
  }

  return(): Promise<IteratorResult<Message, undefined>> {
    this.end();
    return Promise.resolve(DONE);
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#pending?.acknowledge();
    this.#inFlight?.acknowledge();
    for (const resolve of this.#reads) resolve(DONE);
    this.#reads = [];
    this.#onEnd();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #resolveRead(): void {
    const resolve = this.#pending && this.#reads.shift();
    if (this.#pending === undefined || resolve === undefined) return;
    this.#inFlight = this.#pending;
    this.#pending = undefined;
    resolve({ done: false, value: this.#inFlight.message });
    // A consumer that has already requested the next message has handled this one.
    if (this.#reads.length > 0) this.#inFlight.acknowledge();
  }
}

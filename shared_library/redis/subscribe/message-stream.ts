// A subscription as an async iterator: the consumer's loop is the handler, so the subscription's queue is the only buffer.

import type { Message } from '../wire/message.ts';

interface Offered {
  readonly message: Message;
  /** Tells the subscription that the consumer is done with the message. */
  readonly done: () => void;
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/**
 * Holds at most one message, the one that the subscription's loop has handed over. It counts as handled when the consumer
 * asks for the next one, or leaves.
 */
export class MessageStream implements AsyncIterableIterator<Message, undefined> {
  readonly #onEnd: () => void;
  #offered: Offered | undefined;
  #taken: Offered | undefined;
  #asking: ((result: IteratorResult<Message, undefined>) => void)[] = [];
  #ended = false;

  /** @param onEnd called once, when the consumer leaves or the stream is ended */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** The subscription's handler: resolves when the consumer is done with the message. */
  push(message: Message): Promise<void> {
    return new Promise((done) => {
      if (this.#ended) return done();
      this.#offered = { message, done };
      this.#serve();
    });
  }

  next(): Promise<IteratorResult<Message, undefined>> {
    this.#taken?.done();
    this.#taken = undefined;
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#asking.push(resolve);
      this.#serve();
    });
  }

  return(): Promise<IteratorResult<Message, undefined>> {
    this.end();
    return Promise.resolve(DONE);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#offered?.done();
    this.#taken?.done();
    for (const answer of this.#asking) answer(DONE);
    this.#asking = [];
    this.#onEnd();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #serve(): void {
    const answer = this.#offered && this.#asking.shift();
    if (this.#offered === undefined || answer === undefined) return;
    this.#taken = this.#offered;
    this.#offered = undefined;
    answer({ done: false, value: this.#taken.message });
    // Whoever asks for the one after it already is done with this one.
    if (this.#asking.length > 0) this.#taken.done();
  }
}

// The statuses of a subscriber as an async iterator, for a `for await` loop.

import type { SubscriberStatus } from './status.ts';

/** Past this many waiting statuses, the oldest is dropped. */
const MAX_BUFFERED = 1_000;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

type StatusResult = IteratorResult<SubscriberStatus, undefined>;

export class StatusStream implements AsyncIterableIterator<SubscriberStatus, undefined> {
  readonly #onEnd: () => void;
  readonly #buffer: SubscriberStatus[] = [];
  /** The `next()` calls that wait for a status. */
  readonly #reads: ((result: StatusResult) => void)[] = [];
  #isEnded = false;

  /** @param onEnd called when the consumer leaves the loop */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(status: SubscriberStatus): void {
    if (this.#isEnded) return;
    const resolve = this.#reads.shift();
    if (resolve !== undefined) return resolve({ done: false, value: status });
    if (this.#buffer.length === MAX_BUFFERED) this.#buffer.shift();
    this.#buffer.push(status);
  }

  /** Ends the loop after it has consumed the buffered statuses. */
  end(): void {
    this.#isEnded = true;
    for (const resolve of this.#reads.splice(0)) resolve(DONE);
  }

  next(): Promise<StatusResult> {
    const value = this.#buffer.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#isEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#reads.push(resolve));
  }

  return(): Promise<StatusResult> {
    this.#buffer.length = 0;
    this.end();
    this.#onEnd();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

// What a subscriber tells, as an async iterator, for a `for await` loop beside the one that trades.

import type { SubscriberStatus } from './status.ts';

/** What may wait for a loop that is behind; past it the oldest is let go. */
const MAX_WAITING = 1_000;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

type Result = IteratorResult<SubscriberStatus, undefined>;

export class StatusStream implements AsyncIterableIterator<SubscriberStatus, undefined> {
  readonly #onEnd: () => void;
  readonly #waiting: SubscriberStatus[] = [];
  readonly #asking: ((result: Result) => void)[] = [];
  #isEnded = false;

  /** @param onEnd called once, when the loop is left */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(status: SubscriberStatus): void {
    if (this.#isEnded) return;
    const answer = this.#asking.shift();
    if (answer !== undefined) return answer({ done: false, value: status });
    if (this.#waiting.length === MAX_WAITING) this.#waiting.shift();
    this.#waiting.push(status);
  }

  /** What was told before is still given; then the loop ends. */
  end(): void {
    this.#isEnded = true;
    for (const answer of this.#asking.splice(0)) answer(DONE);
  }

  next(): Promise<Result> {
    const value = this.#waiting.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#isEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#asking.push(resolve));
  }

  return(): Promise<Result> {
    this.#waiting.length = 0;
    this.end();
    this.#onEnd();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

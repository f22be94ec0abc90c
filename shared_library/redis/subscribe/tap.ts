// An observer of one channel: it sees each message before filters and queues, and has no effect on delivery.

import type { Channel } from '../channel/channel.ts';
import type { Message, MessageOf } from '../wire/message.ts';
import { type Position, positionOf } from '../wire/position.ts';

/**
 * How a message reached the subscriber:
 *
 * - `live`: received as it was published.
 * - `recovered`: missed, then read from the history or the last values. The recovery was complete.
 * - `snapshot`: a kept value from before the tap was added, or from a recovery that was not complete.
 */
export type Delivery = 'live' | 'recovered' | 'snapshot';

/** One message as an observer sees it. */
export interface Observed<C extends Channel = Channel> {
  /** The observer's own copy. `snapshot` is true if `delivery` is `snapshot`. */
  readonly message: MessageOf<C>;
  /** Undefined for a message without a number: on a `plain` channel, or from a plain client. */
  readonly position: Position | undefined;
  readonly delivery: Delivery;
}

/** Called synchronously with each message; the returned value is ignored. */
export type Observer<C extends Channel = Channel> = (observed: Observed<C>) => void;

export class Tap {
  readonly #observer: Observer;
  readonly #onError: (error: unknown, message: Message) => void;

  constructor(observer: Observer, onError: (error: unknown, message: Message) => void) {
    this.#observer = observer;
    this.#onError = onError;
  }

  observe(message: Message, delivery: Delivery): void {
    const position = positionOf(message);
    try {
      const result: unknown = this.#observer({ message: message as Observed['message'], position, delivery });
      // An async function is a valid observer, and its rejection must not be unhandled.
      if (result instanceof Promise) result.catch((error: unknown) => this.#onError(error, message));
    } catch (error) {
      this.#onError(error, message);
    }
  }
}

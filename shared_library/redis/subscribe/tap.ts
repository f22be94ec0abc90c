// An observer of one channel: it sees each message before filters and queues, and takes no part in delivery.

import type { Channel } from '../channel/channel.ts';
import type { Message, MessageOf } from '../wire/message.ts';
import { type Position, positionOf } from '../wire/position.ts';

/**
 * How a message reached the subscriber:
 *
 * - `live`: as it was published.
 * - `recovered`: it was missed, and read from the history or the last values without a gap.
 * - `snapshot`: a value kept by the server from before the tap, or from a loss that could not be repaired.
 */
export type Delivery = 'live' | 'recovered' | 'snapshot';

/** One message as an observer sees it. */
export interface Observed<C extends Channel = Channel> {
  /** Shared with the handlers: treat it as read-only. `snapshot` is true if `delivery` is `snapshot`. */
  readonly message: MessageOf<C>;
  /** Undefined for a message without a number: a `plain` channel, or a publisher without tickbus. */
  readonly position: Position | undefined;
  readonly delivery: Delivery;
}

/** Called synchronously with each message; what it returns is ignored. */
export type Observer<C extends Channel = Channel> = (observed: Observed<C>) => void;

export class Tap {
  readonly #observer: Observer;
  readonly #onError: (error: unknown, message: Message) => void;
  /** Whether the channel's kept values were shown to it; set by the channel reader. */
  joined = false;

  constructor(observer: Observer, onError: (error: unknown, message: Message) => void) {
    this.#observer = observer;
    this.#onError = onError;
  }

  observe(message: Message, delivery: Delivery): void {
    const position = positionOf(message);
    try {
      const result: unknown = this.#observer({ message: message as Observed['message'], position, delivery });
      // An async function is a valid observer; nobody else would see its rejection.
      if (result instanceof Promise) result.catch((error: unknown) => this.#onError(error, message));
    } catch (error) {
      this.#onError(error, message);
    }
  }
}

// The messages that are held during a recovery, within limits of number and size.

import type { Envelope } from '../wire/envelope.ts';
import { largeSizeOf } from '../wire/message-size.ts';

const MAX_MESSAGES = 100_000;
/** Maximum bytes of the messages that are larger than 2 KiB. */
const MAX_LARGE_BYTES = 32 * 1024 * 1024;

export class HeldMessages {
  readonly #messages: Envelope[] = [];
  #largeBytes = 0;

  constructor(messages: Iterable<Envelope> = []) {
    for (const message of messages) this.push(message);
  }

  get all(): readonly Envelope[] {
    return this.#messages;
  }

  hasRoomFor(message: Envelope): boolean {
    return this.#messages.length < MAX_MESSAGES && this.#largeBytes + largeSizeOf(message) <= MAX_LARGE_BYTES;
  }

  push(message: Envelope): void {
    this.#messages.push(message);
    this.#largeBytes += largeSizeOf(message);
  }
}

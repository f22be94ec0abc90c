// The messages that wait for the end of a recovery, in order of arrival.

import type { Envelope } from '../wire/envelope.ts';
import { type Position, positionOf, relate } from '../wire/position.ts';

/** Maximum number of messages. Beyond it all of them are dropped; the next recovery sees them as a gap. */
const MAX_HELD = 100_000;

export class HeldMessages {
  #messages: Envelope[] = [];
  #hasDroppedRivals = false;

  get all(): readonly Envelope[] {
    return this.#messages;
  }

  get isFull(): boolean {
    return this.#messages.length === MAX_HELD;
  }

  get hasNumbered(): boolean {
    return this.#messages.some(({ seq }) => seq !== undefined);
  }

  /** True if a message was dropped although another one with its number was delivered. */
  get hasDroppedRivals(): boolean {
    return this.#hasDroppedRivals;
  }

  add(message: Envelope): void {
    this.#messages.push(message);
  }

  /** Drops all messages, because there is no room. */
  drop(position: Position): void {
    this.#hasDroppedRivals ||= this.#messages.some(
      ({ epoch, seq = 0 }) => epoch === position.epoch && seq <= position.seq,
    );
    this.#messages = [];
  }

  /** Removes and returns all messages. */
  takeAll(): readonly Envelope[] {
    const taken = this.#messages;
    this.#messages = [];
    this.#hasDroppedRivals = false;
    return taken;
  }

  /**
   * Removes and returns the messages that arrived ahead of the messages up to `position`. They are forged, because the
   * messages before them, and one with their number, arrived after them.
   */
  takeOvertaken(position: Position): readonly Envelope[] {
    const isOvertaken = (message: Envelope) => {
      const own = positionOf(message);
      return own !== undefined && relate(position, own) === 'seen';
    };
    const taken = this.#messages.filter(isOvertaken);
    if (taken.length > 0) this.#messages = this.#messages.filter((message) => !isOvertaken(message));
    return taken;
  }
}

// The messages that wait for the end of a recovery, in order of arrival, within limits of number and size.

import type { ChannelKind } from '../channel/channel.ts';
import type { Envelope } from '../wire/envelope.ts';
import { largeSizeOf } from '../wire/message-size.ts';
import { type Position, positionOf, relate } from '../wire/position.ts';

const MAX_MESSAGES = 100_000;
/** Maximum bytes of the messages that are larger than 2 KiB. */
const MAX_LARGE_BYTES = 32 * 1024 * 1024;

export class HeldMessages {
  #messages: Envelope[] = [];
  #largeBytes = 0;
  #fromEarlierLinks = 0;
  #hasNumbered = false;
  #hasDroppedRivals = false;

  get all(): readonly Envelope[] {
    return this.#messages;
  }

  /** How many messages at the start of `all` arrived on an earlier link. */
  get fromEarlierLinks(): number {
    return this.#fromEarlierLinks;
  }

  get hasNumbered(): boolean {
    return this.#hasNumbered;
  }

  /** True if a message was dropped although another message with the same number was delivered. */
  get hasDroppedRivals(): boolean {
    return this.#hasDroppedRivals;
  }

  hasRoomFor(message: Envelope): boolean {
    return this.#messages.length < MAX_MESSAGES && this.#largeBytes + largeSizeOf(message) <= MAX_LARGE_BYTES;
  }

  add(message: Envelope): void {
    this.#messages.push(message);
    this.#largeBytes += largeSizeOf(message);
    this.#hasNumbered ||= message.seq !== undefined;
  }

  /**
   * Called when the link is down. A `state` channel drops the numbered messages: they may be forged, and the next
   * recovery reads the real ones or reports them as lost.
   */
  endLink(kind: ChannelKind, position: Position): void {
    if (kind === 'state') this.dropNumbered(position);
    else this.#fromEarlierLinks = this.#messages.length;
  }

  /** Drops all messages. Called if there is no room for another one. */
  drop(position: Position): void {
    this.dropNumbered(position);
    this.#keep([]);
  }

  /** Drops the numbered messages. The next recovery reads them again or reports them as lost. */
  dropNumbered(position: Position): void {
    this.#hasDroppedRivals ||= this.#messages.some(
      ({ epoch, seq = 0 }) => epoch === position.epoch && seq <= position.seq,
    );
    this.#keep(this.#messages.filter(({ seq }) => seq === undefined));
  }

  /** Removes and returns all messages. */
  takeAll(): readonly Envelope[] {
    const taken = this.#messages;
    this.#keep([]);
    this.#hasDroppedRivals = false;
    return taken;
  }

  /**
   * Removes and returns the messages whose number the subscriber has reached meanwhile. They are forged, because the
   * missing messages before them, and another message with their number, arrived after them.
   *
   * @param position the last delivered position
   */
  takeOvertaken(position: Position): readonly Envelope[] {
    const isOvertaken = (message: Envelope) => {
      const own = positionOf(message);
      return own !== undefined && relate(position, own) === 'seen';
    };
    const taken = this.#messages.filter(isOvertaken);
    if (taken.length > 0) this.#keep(this.#messages.filter((message) => !isOvertaken(message)));
    return taken;
  }

  #keep(messages: Envelope[]): void {
    this.#messages = messages;
    this.#fromEarlierLinks = 0;
    this.#largeBytes = messages.reduce((sum, message) => sum + largeSizeOf(message), 0);
    this.#hasNumbered = messages.some(({ seq }) => seq !== undefined);
  }
}

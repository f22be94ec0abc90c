// How far a subscriber has got in a channel: the last delivered position, and the last one that the server confirmed.

import type { Envelope } from '../wire/envelope.ts';
import { ORIGIN, type Position, positionOf, relate } from '../wire/position.ts';
import { type DeliveryReports, type ForgedNumbers, forgedNumber } from './delivery-reports.ts';
import { gapsBefore } from './gap-detection.ts';

/** How many of the last messages are remembered, to recognize copies and to name senders. A power of two. */
const MAX_REMEMBERED = 128;
const MASK = MAX_REMEMBERED - 1;

/**
 * A number is confirmed once an answer of the server shows that it was assigned. All real messages up to that number
 * have then arrived. A number above it may have been delivered with a forged message.
 */
export class Progress {
  /** The last delivered messages, by the lowest bits of their number. */
  readonly #messages: (Envelope | undefined)[] = new Array(MAX_REMEMBERED).fill(undefined);
  #position: Position | undefined;
  #confirmed: Position | undefined;

  /** @param since a position that counts as delivered */
  constructor(since?: Position) {
    this.#position = since;
    this.#confirmed = since;
  }

  /** The messages after this position are missing; undefined if none has been reached. */
  get readSince(): Position | undefined {
    return this.#confirmed ?? this.#position;
  }

  /** The last delivered position; undefined before the first message or answer of the server. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Undefined before the first answer of the server. */
  get confirmed(): Position | undefined {
    return this.#confirmed;
  }

  /** False if a message was delivered whose number is not confirmed yet. */
  get isConfirmed(): boolean {
    return this.#confirmed === undefined || this.#confirmed.seq === this.#position?.seq;
  }

  /** Records that the next message is delivered. This runs for every message, so it costs only two stores. */
  advance(position: Position, message: Envelope): void {
    this.#position = position;
    this.#messages[position.seq & MASK] = message;
  }

  /** The server confirms the numbers up to `head`, which is not above the position. */
  confirm(head: Position): void {
    this.#confirmed = head;
    // So a quiet channel keeps no message in memory.
    if (this.isConfirmed) this.#messages.fill(undefined);
  }

  /** Moves to the head that the server reported. All numbers up to the head are then confirmed. */
  moveTo(head: Position): void {
    this.#position = head;
    this.confirm(head);
  }

  /** Moves to a head below the position. Returns the delivered numbers above it, which are forged. */
  stepBack(head: Position): ForgedNumbers {
    const forged = this.above(head);
    this.moveTo(head);
    return forged;
  }

  /** True if another message with this number is forged: the real one has arrived already or cannot exist. */
  has({ epoch, seq }: Position): boolean {
    const { epoch: confirmedEpoch, seq: confirmedSeq } = this.#confirmed ?? ORIGIN;
    return epoch === confirmedEpoch ? epoch === 0 || seq <= confirmedSeq : epoch < confirmedEpoch;
  }

  /** True if messages are missing before this one, or its epoch is new. */
  isBehind(message: Envelope): boolean {
    const position = positionOf(message);
    const relation = position && relate(this.#position ?? ORIGIN, position);
    return relation === 'ahead' || relation === 'new_epoch';
  }

  /** The message that was delivered with this number; undefined if it is not remembered. */
  delivered(epoch: number, seq: number): Envelope | undefined {
    const message = this.#messages[seq & MASK];
    return message?.seq === seq && message.epoch === epoch ? message : undefined;
  }

  /** The delivered numbers above a position of the same epoch, as forged numbers to report. */
  above({ epoch, seq: after }: Position): ForgedNumbers {
    const { seq: to } = this.#position ?? ORIGIN;
    const senders = new Set<string>();
    for (let seq = Math.max(after + 1, to - MASK); seq <= to; seq++) {
      const sender = this.delivered(epoch, seq)?.sender;
      if (sender !== undefined) senders.add(sender);
    }
    return { epoch, from: after + 1, to, senders: [...senders], isProved: true };
  }

  /**
   * Moves to a message that is not compared with the server. Its number is not proved, so what the number implies is
   * reported: a gap, or another message with the same number.
   *
   * @returns false for a message that is proved to be forged
   */
  moveUnproved(message: Envelope, reports: DeliveryReports): boolean {
    const position = positionOf(message);
    if (position === undefined) return true;
    const before = this.#position;
    const isForged = this.has(position);
    for (const gap of isForged ? [] : gapsBefore(before, position)) reports.gap(gap);
    if (before !== undefined && relate(before, position) === 'seen')
      reports.forged([{ ...forgedNumber(message), isProved: isForged }]);
    if (!isForged) this.#position = position;
    return !isForged;
  }
}

// What is known about the messages delivered since the last answer of the server.

import type { Envelope } from '../wire/envelope.ts';
import { ORIGIN, type Position } from '../wire/position.ts';
import type { ForgedNumbers } from './delivery-reports.ts';

/** A power of two. The last messages are remembered to recognize copies of them, and to name their senders. */
const MAX_REMEMBERED = 256;
const MASK = MAX_REMEMBERED - 1;

/**
 * A number is confirmed once an answer of the server shows that it was assigned. All real messages up to that number
 * have then arrived. A number above it may have been delivered with a forged message.
 */
export class Unconfirmed {
  /** Messages by the lowest bits of their number. */
  readonly #messages: (Envelope | undefined)[] = new Array(MAX_REMEMBERED).fill(undefined);
  #confirmed: Position | undefined;

  /** Undefined before the first answer of the server. */
  get confirmed(): Position | undefined {
    return this.#confirmed;
  }

  /** Remembers a delivered message. The cost of one store, because it runs for every message. */
  add(message: Envelope, seq: number): void {
    this.#messages[seq & MASK] = message;
  }

  /** @param delivered the last delivered position */
  confirm(confirmed: Position, delivered: Position): void {
    this.#confirmed = confirmed;
    // A quiet channel keeps no message in memory.
    if (confirmed.seq === delivered.seq) this.#messages.fill(undefined);
  }

  /** True if the real message with this number arrived before, so that another one is forged. */
  isConfirmed({ epoch, seq }: Position): boolean {
    const { epoch: confirmedEpoch, seq: confirmedSeq } = this.#confirmed ?? ORIGIN;
    return epoch === confirmedEpoch ? seq <= confirmedSeq : epoch < confirmedEpoch;
  }

  /** The message that was delivered with this number; undefined if it is not remembered. */
  delivered(epoch: number, seq: number): Envelope | undefined {
    const message = this.#messages[seq & MASK];
    return message?.seq === seq && message.epoch === epoch ? message : undefined;
  }

  /** The delivered numbers above `head`, which are forged. */
  above(head: Position, { seq: to }: Position): ForgedNumbers {
    const from = head.seq + 1;
    const senders = new Set<string>();
    for (let seq = Math.max(from, to - MASK); seq <= to; seq++) {
      const sender = this.delivered(head.epoch, seq)?.sender;
      if (sender !== undefined) senders.add(sender);
    }
    return { epoch: head.epoch, from, to, senders: [...senders], isProved: true };
  }
}

// Where the calls of one publisher are to stand in a channel, so that several can be under way and keep their order.

import { v7 as uuidv7 } from 'uuid';
import type { ChannelSpec } from '../core/channel.ts';
import type { Chained, Receipt } from '../core/ports.ts';
import type { Position } from '../core/sequence.ts';

/** After somebody else has published on the channel, nothing is expected until so many calls in a row were left alone. */
const TRUST = 8;

/** A call, and where the channel is to end with it; undefined: that cannot be told. */
export interface NextCall {
  readonly chained: Chained;
  readonly end: Position | undefined;
}

/**
 * Invariant: `#end` is where the channel ends once all that is under way is published, as far as is known. It is forgotten whenever a
 * call did not end where it was to: every call behind it is overtaken then, because it names the one that it follows.
 */
export class CallChain {
  readonly #isNumbered: boolean;
  readonly #name = uuidv7();
  #calls = 0;
  #end: Position | undefined;
  /** Calls in a row that nobody came between. */
  #undisturbed = TRUST;

  constructor({ kind }: ChannelSpec) {
    // What is not numbered has no place, and which commands of a batch take a number is known only afterwards.
    this.#isNumbered = kind === 'state' || kind === 'event';
  }

  /** Whether a call can be made while others are under way. */
  get canFollow(): boolean {
    return this.#end !== undefined && this.#undisturbed >= TRUST;
  }

  /** @param isAlone whether nothing is under way, so that it may stand anywhere */
  next(messages: number, isAlone: boolean): NextCall {
    const end = this.#end;
    // What says where it will stand is less work for the server, if it does stand there.
    const after =
      end && (!isAlone || this.canFollow)
        ? { call: this.#nameOf(this.#calls), end, isRequired: !isAlone }
        : undefined;
    this.#end = end && { epoch: end.epoch, seq: end.seq + messages };
    // Each attempt has a name of its own: a batch that was put back is another call when it is made again.
    return { chained: { call: this.#nameOf(++this.#calls), after }, end: this.#end };
  }

  /** @param isLast whether nothing is under way behind it */
  published({ first }: Receipt, messages: number, expected: Position | undefined, isLast: boolean): void {
    if (!this.#isNumbered) return;
    const end = first && { epoch: first.epoch, seq: first.seq + messages - 1 };
    const isAsExpected = end?.epoch === expected?.epoch && end?.seq === expected?.seq;
    if (isAsExpected) this.#undisturbed++;
    else if (expected !== undefined) this.#undisturbed = 0;
    if (isLast) this.#end = end;
    else if (!isAsExpected) this.#end = undefined;
  }

  overtaken(): void {
    this.#end = undefined;
    this.#undisturbed = 0;
  }

  failed(): void {
    this.#end = undefined;
  }

  #nameOf(call: number): string {
    return `${this.#name}:${call}`;
  }
}

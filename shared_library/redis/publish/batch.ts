// The messages of one call and their outcome: one promise for all, from which each message derives its own.

import { TickbusError } from '../errors.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { FenceToken, Outgoing, Receipt } from '../transport/port.ts';
import type { Position } from '../wire/position.ts';

/** What became of one message. */
export interface Published {
  /** Where the message stands in the channel; undefined on a `plain` channel. */
  readonly position: Position | undefined;
  /** How many subscriptions it reached. 0: nobody was listening, or the reply was lost and the server was asked later. */
  readonly receivers: number;
  /** The id of a command. */
  readonly id?: string;
  /** True when a command of this id had been published before: it was not published again, and this is the outcome of the first time. */
  readonly repeated?: true;
}

/**
 * The most messages and bytes of one call; 256 is where the gain levels off (measured from end to end, over 128: 1.08 at 256, less at
 * 512), and takes the server half a millisecond.
 */
const MAX_MESSAGES = 256;
const MAX_SIZE = 256 * 1024;

export class Batch {
  /** Its place in the line: counts up. */
  readonly number: number;
  /** Under which its messages were accepted. */
  readonly fence: FenceToken | undefined;
  readonly messages: Outgoing[] = [];
  /** Reported as unknown: nobody waits for its reply any more. */
  isTimedOut = false;
  /** It was under way before, and not executed: it is sent again as it is. */
  wasSent = false;
  #size = 0;
  readonly #receipt: Promise<Receipt>;
  #resolve: (receipt: Receipt) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  readonly #cancelDeadline: Unsubscribe;

  /** @param startDeadline starts a timer that gives the batch up; returns how to cancel it */
  constructor(number: number, fence: FenceToken | undefined, startDeadline: (batch: Batch) => Unsubscribe) {
    this.number = number;
    this.fence = fence;
    this.#receipt = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#cancelDeadline = startDeadline(this);
  }

  /** UTF-16 units. */
  get size(): number {
    return this.#size;
  }

  hasRoomFor({ json }: Outgoing): boolean {
    return this.messages.length < MAX_MESSAGES && this.#size + json.length <= MAX_SIZE;
  }

  /** What becomes of this message. */
  add(message: Outgoing): Promise<Published> {
    const index = this.messages.push(message) - 1;
    this.#size += message.json.length;
    return this.#receipt.then((receipt) => toPublished(receipt, index, message));
  }

  resolve(receipt: Receipt): void {
    this.#cancelDeadline();
    this.#resolve(receipt);
  }

  reject(error: unknown): void {
    this.#cancelDeadline();
    this.#reject(error);
  }
}

/** What the receipt of a batch says of the message at `index`. */
function toPublished(
  { first, receivers, repeated }: Receipt,
  index: number,
  { idempotency }: Outgoing,
): Published {
  const id = idempotency === undefined ? undefined : { id: idempotency.id };
  const before = repeated?.get(index);
  if (before === 'forgotten') {
    const text =
      'The server has lost its latest memory since this command was sent first: whether it was published is unknown.';
    throw new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text, id === undefined ? {} : { messageId: id.id });
  }
  if (before !== undefined) return { ...before, ...id, repeated: true };
  if (first === undefined) return { position: undefined, receivers, ...id };
  let seq = first.seq + index;
  // Those that were not published now took no number.
  if (repeated !== undefined) for (const other of repeated.keys()) if (other < index) seq--;
  const position = { epoch: first.epoch, seq };
  return id === undefined ? { position, receivers } : { position, receivers, ...id };
}

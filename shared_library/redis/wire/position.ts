// The position of a reader in a channel, and the relation of a message to it.

/** A position in a channel. `{ epoch: 0, seq: 0 }` precedes all messages. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

export const ORIGIN: Position = Object.freeze({ epoch: 0, seq: 0 });

/** The position of a message; undefined if the message is not numbered. */
export function positionOf({ epoch, seq }: Partial<Position>): Position | undefined {
  return epoch === undefined || seq === undefined ? undefined : { epoch, seq };
}

/**
 * The relation of a message to the reader's position.
 *
 * - `next`: the expected message.
 * - `seen`: at or below the position, of an older epoch, or of epoch 0, in which nothing is ever published.
 * - `ahead`: earlier messages are missing.
 * - `new_epoch`: a new epoch of the channel has begun.
 */
export type Relation = 'next' | 'seen' | 'ahead' | 'new_epoch';

export function relate(position: Position, message: Position): Relation {
  if (message.epoch < position.epoch) return 'seen';
  if (message.epoch > position.epoch)
    return position.epoch === 0 ? relateInEpoch(0, message.seq) : 'new_epoch';
  return message.epoch === 0 ? 'seen' : relateInEpoch(position.seq, message.seq);
}

function relateInEpoch(seq: number, messageSeq: number): Relation {
  if (messageSeq <= seq) return 'seen';
  return messageSeq === seq + 1 ? 'next' : 'ahead';
}

/** True if a message has a position, and it is above `head`. */
export function isBeyond({ epoch, seq }: Partial<Position>, head: Position): boolean {
  if (epoch === undefined || seq === undefined) return false;
  return epoch > head.epoch || (epoch === head.epoch && seq > head.seq);
}

/** Sequence numbers lost between two positions of one epoch. */
export interface LostRange {
  /** The first lost sequence number. */
  readonly from: number;
  /** The last lost sequence number. */
  readonly to: number;
  /** Number of messages lost from `from` to `to`, both included. */
  readonly lost: number;
}

/**
 * The sequence numbers missing above `after`, up to and including `top`.
 *
 * @param present sorted numbers that were received
 */
export function missingBetween(
  after: number,
  top: number,
  present: readonly number[],
): LostRange | undefined {
  let from: number | undefined;
  let to = after;
  let lost = 0;
  let expected = after + 1;
  for (const seq of [...present, top + 1]) {
    if (seq < expected) continue;
    if (seq > expected) {
      from ??= expected;
      to = seq - 1;
      lost += seq - expected;
    }
    expected = seq + 1;
  }
  return from === undefined ? undefined : { from, to, lost };
}

// Where a reader stands in a channel, and how a message relates to that place.

/** A place in a channel. `{ epoch: 0, seq: 0 }` stands before anything was ever published. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

export const ORIGIN: Position = Object.freeze({ epoch: 0, seq: 0 });

/** The position of a message; undefined: it has no number. */
export function positionOf({ epoch, seq }: Partial<Position>): Position | undefined {
  return epoch === undefined || seq === undefined ? undefined : { epoch, seq };
}

/**
 * How a message stands to the reader's position.
 *
 * - `next`: exactly the one expected.
 * - `seen`: at or below the position, or of an epoch that is over.
 * - `ahead`: something before it is missing.
 * - `new_epoch`: the channel was begun anew.
 */
export type Relation = 'next' | 'seen' | 'ahead' | 'new_epoch';

export function relate(position: Position, message: Position): Relation {
  if (message.epoch < position.epoch) return 'seen';
  if (message.epoch > position.epoch)
    return position.epoch === 0 ? relateInEpoch(0, message.seq) : 'new_epoch';
  return relateInEpoch(position.seq, message.seq);
}

function relateInEpoch(seq: number, messageSeq: number): Relation {
  if (messageSeq <= seq) return 'seen';
  return messageSeq === seq + 1 ? 'next' : 'ahead';
}

/** The numbers that were lost between two places of one epoch. */
export interface LostRange {
  /** The first lost number. */
  readonly from: number;
  /** The last lost number. */
  readonly to: number;
  /** How many numbers between the two, both included, were lost. */
  readonly lost: number;
}

/** What is missing after `after` up to and including `top`, given the sorted numbers that are there; undefined: nothing. */
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

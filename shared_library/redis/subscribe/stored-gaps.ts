// Which messages after a position are missing among those that a subscription begins with.

import { isBeyond, missingBetween, ORIGIN, type Position } from '../wire/position.ts';
import { type DetectedGap, unknownTail } from './gap-detection.ts';

/**
 * The gaps after the lowest of some positions. Each epoch before that of the head ends with a gap of unknown size. It
 * stands also for later epochs of which no message is known.
 *
 * @param after positions that are known to have existed, such as the last handled one of each key
 * @param head the head of the channel
 * @param isForgotten whether the server may have lost the end of the head's epoch
 * @param present the messages that are stored, or have arrived
 */
export function gapsAfter(
  after: readonly Position[],
  head: Position,
  isForgotten: boolean,
  present: readonly Position[],
): readonly DetectedGap[] {
  const start = lowest(after);
  if (start === undefined) return [];
  const later = present.filter((position) => isBeyond(position, start) && !isBeyond(position, head));
  const known = [...after, ...later, ...(head.epoch >= start.epoch ? [head] : [])];
  const epochs = [...new Set(known.map(({ epoch }) => epoch))].sort((a, b) => a - b);
  return epochs.flatMap((epoch) => {
    if (epoch === ORIGIN.epoch) return [];
    const reached = seqsIn(epoch, known).at(-1) ?? 0;
    const first = epoch === start.epoch ? start.seq : 0;
    const isLast = epoch === head.epoch;
    const last = isLast ? head.seq : reached;
    // An epoch after that of the head was lost with the memory of the server.
    const missing = epoch > head.epoch ? undefined : missingBetween(first, last, seqsIn(epoch, later));
    const isOpen = !isLast || isForgotten || reached > head.seq;
    return [
      ...(missing === undefined ? [] : [{ cause: 'loss', epoch, ...missing, repaired: false } as const]),
      ...(isOpen ? [unknownTail(epoch, last)] : []),
    ];
  });
}

export function byPosition(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.seq - b.seq;
}

export function lowest(positions: readonly Position[]): Position | undefined {
  return positions.reduce<Position | undefined>(
    (low, position) => (low === undefined || isBeyond(low, position) ? position : low),
    undefined,
  );
}

function seqsIn(epoch: number, positions: readonly Position[]): number[] {
  return positions
    .flatMap((position) => (position.epoch === epoch ? position.seq : []))
    .sort((a, b) => a - b);
}

// Finds the gaps in the numbers of received and kept messages.

import type { Envelope } from '../wire/envelope.ts';
import { missingBetween, ORIGIN, type Position, relate } from '../wire/position.ts';
import type { Gap } from './status.ts';

export type DetectedGap = Omit<Gap, 'type' | 'channel'>;

/**
 * The gap after `afterSeq` up to `head`; undefined if all messages were received live. The gap is repaired only if the
 * kept messages close it completely.
 */
export function detectGap(
  afterSeq: number,
  head: Position,
  kept: readonly Envelope[],
  live: ReadonlySet<Envelope>,
): { gap: DetectedGap | undefined; repaired: number } {
  const notLive = missingBetween(afterSeq, head.seq, seqsOf(live));
  if (notLive === undefined) return { gap: undefined, repaired: 0 };
  const common = { cause: 'loss', epoch: head.epoch } as const;
  const missing = missingBetween(afterSeq, head.seq, seqsOf([...kept, ...live]));
  if (missing !== undefined) return { gap: { ...common, ...missing, repaired: false }, repaired: 0 };
  return { gap: { ...common, ...notLive, lost: 0, repaired: true }, repaired: notLive.lost };
}

interface EndedEpochs {
  readonly gaps: readonly DetectedGap[];
  /** The held messages to deliver. */
  readonly live: ReadonlySet<Envelope>;
  /** The held messages to discard: nothing proves that they are real, so `gaps` covers them. Only for kind `state`. */
  readonly unproved: ReadonlySet<Envelope>;
}

/** Maximum number of epochs that began and ended since the last read and that only held messages show. */
const MAX_UNREAD_EPOCHS = 16;

/**
 * Settles the epochs before the head's epoch: the epoch of the subscriber's position, and later epochs with a live or
 * kept message. Each epoch is checked for gaps up to its last such message. How many messages followed is unknown, so
 * the end of the epoch is reported as a gap of unknown size.
 *
 * On a `state` channel the last values of the server replace the held messages. If a held message were forged and the
 * server had no value for its key, nothing would ever replace it.
 */
export function settleEndedEpochs(
  start: Position,
  lastSeqIn: (epoch: number) => number,
  head: Position,
  held: readonly Envelope[],
  kept: readonly Envelope[],
  isState: boolean,
): EndedEpochs {
  if (start.epoch === head.epoch) return { gaps: [], live: new Set(), unproved: new Set() };
  const isAfterStart = ({ epoch = 0, seq = 0 }: Envelope) =>
    epoch !== ORIGIN.epoch && epoch < head.epoch && epoch >= start.epoch && seq > lastSeqIn(epoch);
  const keptByEpoch = byEpoch(kept.filter(isAfterStart));
  const heldByEpoch = byEpoch(held.filter(isAfterStart));
  const unread = [...heldByEpoch.keys()].filter((epoch) => epoch !== start.epoch && !keptByEpoch.has(epoch));
  // A forger can invent any number of epochs, so only the newest are settled. Other messages are rejected as forged.
  for (const epoch of unread.sort((a, b) => b - a).slice(MAX_UNREAD_EPOCHS)) heldByEpoch.delete(epoch);
  const first = start.epoch === ORIGIN.epoch ? [] : [start.epoch];
  const epochs = new Set([...first, ...keptByEpoch.keys(), ...heldByEpoch.keys()]);
  const settled = new Set([...heldByEpoch.values()].flat());
  const gaps = [...epochs]
    .sort((a, b) => a - b)
    .flatMap((epoch) => {
      const afterSeq = epoch === start.epoch ? start.seq : 0;
      const liveOfEpoch = isState ? [] : (heldByEpoch.get(epoch) ?? []);
      const present = [...(keptByEpoch.get(epoch) ?? []), ...liveOfEpoch];
      const lastSeq = Math.max(afterSeq, seqsOf(present).at(-1) ?? 0);
      const { gap } = detectGap(afterSeq, { epoch, seq: lastSeq }, present, new Set(liveOfEpoch));
      return gap === undefined ? [unknownTail(epoch, lastSeq)] : [gap, unknownTail(epoch, lastSeq)];
    });
  return isState
    ? { gaps, live: new Set(), unproved: settled }
    : { gaps, live: settled, unproved: new Set() };
}

function byEpoch(messages: readonly Envelope[]): Map<number, Envelope[]> {
  const groups = new Map<number, Envelope[]>();
  for (const message of messages) {
    const { epoch = 0 } = message;
    const group = groups.get(epoch);
    if (group === undefined) groups.set(epoch, [message]);
    else group.push(message);
  }
  return groups;
}

/** One gap for delivered numbers of a `state` channel whose real messages are unknown. */
export function doubtfulGaps(epoch: number | undefined, numbers: readonly number[]): DetectedGap[] {
  if (numbers.length === 0) return [];
  const sorted = [...numbers].sort((a, b) => a - b);
  const [from, to] = [sorted[0], sorted.at(-1)];
  return [{ cause: 'loss', epoch, from, to, lost: numbers.length, repaired: false }];
}

/** The gap from the confirmed position up to a later position, if no message between them is proved to be real. */
export function unconfirmedGap(confirmed: Position, { epoch, seq: to }: Position): DetectedGap[] {
  const after = confirmed.epoch === epoch ? confirmed.seq : 0;
  const missing = missingBetween(after, to, []);
  return missing === undefined ? [] : [{ cause: 'loss', epoch, ...missing, repaired: false }];
}

/** The gaps before a message that is accepted without a read; none before the first message. */
export function gapsBefore(position: Position | undefined, message: Position): readonly DetectedGap[] {
  const relation = position && relate(position, message);
  if (position === undefined || relation === 'next' || relation === 'seen') return [];
  const isNewEpoch = relation === 'new_epoch';
  const missing = missingBetween(isNewEpoch ? 0 : position.seq, message.seq - 1, []);
  return [
    ...(isNewEpoch ? [unknownTail(position.epoch, position.seq)] : []),
    ...(missing === undefined
      ? []
      : [{ cause: 'loss', epoch: message.epoch, ...missing, repaired: false } as const]),
  ];
}

/** The gap at the end of an epoch, after `lastSeq`. How many messages it contains is unknown. */
export function unknownTail(epoch: number, lastSeq: number): DetectedGap {
  return { cause: 'epoch', epoch, from: lastSeq + 1, to: undefined, lost: undefined, repaired: false };
}

function seqsOf(messages: Iterable<Envelope>): number[] {
  return Array.from(messages, ({ seq }) => seq ?? 0).sort((a, b) => a - b);
}

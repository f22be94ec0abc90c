// Plans a recovery from the state of a channel that was just read: which messages to deliver, and which gaps to report.

import type { Envelope } from '../wire/envelope.ts';
import { missingBetween, ORIGIN, type Position } from '../wire/position.ts';
import type { Receiver } from './fan-out.ts';
import type { Gap } from './status.ts';
import type { Delivery } from './tap.ts';

export interface RecoveryInput {
  /** The position of the subscriber; undefined before the first message or read. */
  readonly position: Position | undefined;
  /** The highest sequence reached in each epoch. A server that lost its newest data may continue a former epoch. */
  readonly highestSeqs: ReadonlyMap<number, number>;
  /**
   * True if the server lost the end of its present epoch. Either another branch of the server numbered that epoch, or
   * the head is below the position after a new connection.
   */
  readonly isForgotten: boolean;
  /** The head of the channel at the time of the read. */
  readonly head: Position;
  /** The messages that the server keeps. */
  readonly kept: readonly Envelope[];
  /** The messages received since the subscription was acknowledged, in order of arrival. */
  readonly held: readonly Envelope[];
  /** How many of `held` were received before the read was sent. */
  readonly heldBeforeRead: number;
}

export interface RecoveryPlan {
  readonly gaps: readonly Omit<Gap, 'type' | 'channel'>[];
  /** The number of messages that were missed but all found among the kept ones; 0 if not all were found. */
  readonly repaired: number;
  /** The messages up to the head, in order of position. */
  readonly messages: readonly RecoveredMessage[];
  /** Held messages beyond the head or without a number. They are processed as if they arrived now. */
  readonly rest: readonly Envelope[];
  /** Messages that arrived before the read with a position that the server had not assigned by then. */
  readonly forged: readonly Envelope[];
}

export interface RecoveredMessage {
  readonly message: Envelope;
  /** True if its position is above that of the subscriber. */
  readonly isNew: boolean;
  /** True if it was received as it was published; false if it was only among the kept messages. */
  readonly isLive: boolean;
}

/**
 * Every message published before the read arrives before the read's reply. So `held` is complete up to the head, except
 * for messages from before the subscription and messages lost in transit.
 */
export function planRecovery({
  position,
  highestSeqs,
  isForgotten,
  head,
  kept,
  held,
  heldBeforeRead,
}: RecoveryInput): RecoveryPlan {
  const isCovered = ({ epoch, seq }: Envelope) => epoch === head.epoch && (seq ?? 0) <= head.seq;
  const live = new Set(held.filter(isCovered));
  const start = position ?? initialPosition(live, head);
  /** The last sequence number that the subscriber has reached in an epoch. Messages with a higher number are new. */
  const lastSeqIn = (epoch: number) =>
    Math.max(highestSeqs.get(epoch) ?? 0, epoch === start.epoch ? start.seq : 0);
  const isNew = ({ epoch = 0, seq = 0 }: Envelope) => epoch >= start.epoch && seq > lastSeqIn(epoch);
  const ended = settleEndedEpochs(start, lastSeqIn, head, held, kept);
  const { gap, repaired } = detectGap(
    lastSeqIn(head.epoch),
    head,
    // Messages from an epoch before the position's are too late: delivering them would be a step back.
    kept.filter((message) => isCovered(message) && isNew(message)),
    live,
  );
  const allLive = new Set([...ended.live, ...live]);
  const messages = mergeInOrder(kept, allLive).map((message) => ({
    message,
    isNew: isNew(message),
    isLive: allLive.has(message),
  }));
  const remaining = held.filter((message) => !live.has(message) && !ended.live.has(message));
  const early = new Set(held.slice(0, heldBeforeRead));
  const forged = new Set(remaining.filter((message) => isBeyond(message, head) && early.has(message)));
  return {
    gaps: [
      ...ended.gaps,
      ...(gap === undefined ? [] : [gap]),
      ...(isForgotten && position !== undefined
        ? [unknownTail(head.epoch, lastAccountedSeq(position, head))]
        : []),
    ],
    repaired,
    messages,
    rest: remaining.filter((message) => !forged.has(message)),
    forged: [...forged],
  };
}

type DetectedGap = RecoveryPlan['gaps'][number];

/**
 * The gap after `afterSeq` up to `head`; undefined if all messages were received live. The gap is repaired only if the
 * kept messages close it completely.
 */
function detectGap(
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
  /** The messages of these epochs that were received live. */
  readonly live: ReadonlySet<Envelope>;
}

/**
 * Settles the epochs before the head's epoch: the epoch of the subscriber's position, and later epochs with a live or
 * kept message. Each epoch is checked for gaps up to its last such message. How many messages followed is unknown, so
 * the end of the epoch is reported as a gap of unknown size.
 */
function settleEndedEpochs(
  start: Position,
  lastSeqIn: (epoch: number) => number,
  head: Position,
  held: readonly Envelope[],
  kept: readonly Envelope[],
): EndedEpochs {
  if (start.epoch === head.epoch) return { gaps: [], live: new Set() };
  const isAfterStart = ({ epoch = 0, seq = 0 }: Envelope) =>
    epoch !== head.epoch && epoch >= start.epoch && seq > lastSeqIn(epoch);
  const live = new Set(held.filter((message) => isAfterStart(message) && (message.epoch ?? 0) < head.epoch));
  const present = [...kept.filter(isAfterStart), ...live];
  const later = present.map(({ epoch = 0 }) => epoch).filter((epoch) => epoch < head.epoch);
  const epochs = new Set([
    ...(start.epoch === ORIGIN.epoch ? [] : [start.epoch]),
    ...later.sort((a, b) => a - b),
  ]);
  const gaps = [...epochs].flatMap((epoch) => {
    const afterSeq = epoch === start.epoch ? start.seq : 0;
    const ofEpoch = present.filter((message) => message.epoch === epoch);
    const lastSeq = Math.max(afterSeq, seqsOf(ofEpoch).at(-1) ?? 0);
    const { gap } = detectGap(
      afterSeq,
      { epoch, seq: lastSeq },
      ofEpoch,
      new Set(ofEpoch.filter((message) => live.has(message))),
    );
    return gap === undefined ? [unknownTail(epoch, lastSeq)] : [gap, unknownTail(epoch, lastSeq)];
  });
  return { gaps, live };
}

/** The gap at the end of an epoch, after `lastSeq`. How many messages it contains is unknown. */
function unknownTail(epoch: number, lastSeq: number): DetectedGap {
  return { cause: 'epoch', epoch, from: lastSeq + 1, to: undefined, lost: undefined, repaired: false };
}

/** The last sequence in the epoch of `head` that was delivered or reported. */
function lastAccountedSeq(position: Position, head: Position): number {
  return position.epoch === head.epoch ? Math.max(position.seq, head.seq) : head.seq;
}

function isBeyond({ epoch, seq }: Envelope, head: Position): boolean {
  if (epoch === undefined || seq === undefined) return false;
  return epoch > head.epoch || (epoch === head.epoch && seq > head.seq);
}

/** Without a position, a subscriber starts just before the first message received live, else at the head. */
function initialPosition(live: ReadonlySet<Envelope>, head: Position): Position {
  const [first] = live;
  return first?.seq === undefined ? head : { epoch: head.epoch, seq: first.seq - 1 };
}

function seqsOf(messages: Iterable<Envelope>): number[] {
  return Array.from(messages, ({ seq }) => seq ?? 0).sort((a, b) => a - b);
}

/** Returns one message for each position; a live message takes precedence over its kept copy. */
function mergeInOrder(kept: readonly Envelope[], live: ReadonlySet<Envelope>): Envelope[] {
  const sorted = [...kept, ...live].sort(byPosition);
  // The sort is stable, so the last message of a position is the live one, if there is one.
  return sorted.filter((message, index) => {
    const next = sorted[index + 1];
    return next === undefined || byPosition(message, next) !== 0;
  });
}

function byPosition(a: Envelope, b: Envelope): number {
  return (a.epoch ?? 0) - (b.epoch ?? 0) || (a.seq ?? 0) - (b.seq ?? 0);
}

/**
 * How a recovered message is delivered to a receiver. An existing receiver gets the messages that it has missed. A new
 * receiver gets the messages that arrived live, and the kept messages as `forNew` says.
 */
export function deliveryOf(
  { isNew, isLive }: RecoveredMessage,
  isComplete: boolean,
  forNew: 'snapshot' | 'skip',
): (receiver: Receiver) => Delivery | 'skip' {
  const forExisting = !isNew ? 'skip' : isComplete ? 'recovered' : 'snapshot';
  return ({ joined }) => {
    if (isLive) return isNew || !joined ? 'live' : 'skip';
    return joined ? forExisting : forNew;
  };
}

// Plans a recovery from the state of a channel that was just read: which messages to deliver, and which gaps to report.

import type { Channel } from '../channel/channel.ts';
import type { Envelope } from '../wire/envelope.ts';
import { isBeyond, ORIGIN, type Position } from '../wire/position.ts';
import { settleArrivals } from './arrivals.ts';
import { type ForgedNumbers, forgedNumber } from './delivery-reports.ts';
import type { Receiver } from './fan-out.ts';
import {
  type DetectedGap,
  detectGap,
  doubtfulGaps,
  settleEndedEpochs,
  unconfirmedGap,
  unknownTail,
} from './gap-detection.ts';
import type { Progress } from './progress.ts';
import type { Delivery } from './tap.ts';

export interface RecoveryInput {
  readonly channel: Channel;
  /** The position of the subscriber, and the last messages delivered up to it. */
  readonly progress: Pick<Progress, 'position' | 'confirmed' | 'delivered' | 'above'>;
  /** False for the first recovery on a connection: messages published before the connection did not arrive. */
  readonly isSameLink: boolean;
  /** The highest sequence reached in each epoch. A server that lost its newest data may continue a former epoch. */
  readonly highestSeqs: ReadonlyMap<number, number>;
  /**
   * True if the server may have lost the end of its present epoch. Either it restarted or failed over since it numbered
   * that epoch, or the head is below the position after a new connection.
   */
  readonly isForgotten: boolean;
  /** The head of the channel at the time of the read. */
  readonly head: Position;
  /** The messages that the server keeps. */
  readonly kept: readonly Envelope[];
  /** The messages that wait for this recovery, in order of arrival. */
  readonly held: readonly Envelope[];
  /**
   * True if a held message was dropped although another message with the same number was delivered. Either of the two
   * may be forged.
   */
  readonly hasDroppedRivals: boolean;
  /** How many messages at the start of `held` arrived on an earlier link. The server may have lost them since. */
  readonly heldFromEarlierLinks: number;
  /** How many of `held` were received before the read was sent. */
  readonly heldBeforeRead: number;
}

export interface RecoveryPlan {
  readonly head: Position;
  readonly gaps: readonly DetectedGap[];
  /** How many messages were missed and found among the kept ones; 0 if not all of them were found. */
  readonly repaired: number;
  /** The messages up to the head, in order of position. */
  readonly messages: readonly RecoveredMessage[];
  /** Held messages beyond the head or without a number. They are processed as if they arrived now. */
  readonly rest: readonly Envelope[];
  /** Numbers that the server had not assigned when their message arrived, or that several messages have. */
  readonly forged: readonly ForgedNumbers[];
  /** True if a delivered message is forged, or may be. */
  readonly isTainted: boolean;
  /** True if an epoch ended after unconfirmed numbers: nothing proves which of its last messages are real. */
  readonly hasUnprovedTail: boolean;
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
export function planRecovery(input: RecoveryInput): RecoveryPlan {
  const { channel, highestSeqs, isForgotten, isSameLink, head, kept, progress } = input;
  const { heldFromEarlierLinks, heldBeforeRead } = input;
  const { confirmed = progress.position ?? ORIGIN } = progress;
  // No answer has shown an epoch yet. If the position's epoch is later than the head's, a forged message invented it.
  const invented =
    confirmed.epoch === ORIGIN.epoch &&
    ORIGIN.epoch < head.epoch &&
    head.epoch < (progress.position?.epoch ?? 0)
      ? progress.position
      : undefined;
  const position = invented === undefined ? progress.position : confirmed;
  const arrivals = settleArrivals({
    channel,
    confirmed,
    position: position ?? ORIGIN,
    head,
    kept,
    held: input.held,
    heldFromEarlierLinks: input.heldFromEarlierLinks,
    progress,
    isSameLink,
  });
  const held = arrivals.held;
  const isCovered = ({ epoch, seq }: Envelope) => epoch === head.epoch && (seq ?? 0) <= head.seq;
  const live = new Set(held.filter(isCovered));
  const start = position ?? initialPosition(live, head);
  /** The last sequence number that the subscriber has reached in an epoch. Messages with a higher number are new. */
  const lastSeqIn = (epoch: number) =>
    Math.max(highestSeqs.get(epoch) ?? 0, epoch === start.epoch ? start.seq : 0);
  const isNew = ({ epoch = 0, seq = 0 }: Envelope) => epoch >= start.epoch && seq > lastSeqIn(epoch);
  const ended = settleEndedEpochs(start, lastSeqIn, head, held, kept, channel.kind === 'state');
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
  const arrived = new Set(input.held);
  const ofEarlierLinks = new Set(input.held.slice(0, heldFromEarlierLinks));
  const early = new Set(input.held.slice(heldFromEarlierLinks, heldBeforeRead));
  // The server may have assigned these numbers, delivered the messages, and lost both before the present link.
  const unproved = held.filter((message) => isBeyond(message, head) && ofEarlierLinks.has(message));
  const late = [...arrivals.late, ...unproved].map((message) => ({
    message,
    isNew: true,
    isLive: arrived.has(message),
  }));
  const settled = new Set([...allLive, ...ended.unproved, ...unproved]);
  const remaining = held.filter((message) => !settled.has(message));
  const forged = new Set(remaining.filter((message) => isBeyond(message, head) && early.has(message)));
  const hasUnprovedTail =
    isBeyond(progress.position ?? ORIGIN, confirmed) && progress.position?.epoch !== head.epoch;
  const hasForgedTail = isSameLink && !isForgotten && position !== undefined && isBelow(head, position);
  return {
    head,
    gaps: [
      ...ended.gaps,
      ...doubtfulGaps(position?.epoch, arrivals.doubtful),
      ...(input.hasDroppedRivals && position !== undefined ? unconfirmedGap(confirmed, position) : []),
      ...(gap === undefined ? [] : [gap]),
      ...(isForgotten && position !== undefined
        ? [unknownTail(head.epoch, lastAccountedSeq(position, head))]
        : []),
    ],
    repaired,
    messages: late.length === 0 ? messages : [...messages, ...late].sort(byRecoveredPosition),
    rest: remaining.filter((message) => !forged.has(message)),
    forged: [
      ...arrivals.forged,
      ...(hasForgedTail ? [progress.above(head)] : []),
      ...(invented === undefined
        ? []
        : [{ ...progress.above({ epoch: invented.epoch, seq: 0 }), isProved: false }]),
      ...unproved.map((message) => ({ ...forgedNumber(message), isProved: false })),
      ...Array.from(forged, forgedNumber),
    ],
    isTainted: arrivals.isTainted || hasForgedTail,
    hasUnprovedTail,
  };
}

/** The last sequence in the epoch of `head` that was delivered or reported. */
function lastAccountedSeq(position: Position, head: Position): number {
  return position.epoch === head.epoch ? Math.max(position.seq, head.seq) : head.seq;
}

function isBelow(head: Position, { epoch, seq }: Position): boolean {
  return head.epoch === epoch && head.seq < seq;
}

/** Without a position, a subscriber starts just before the first message received live, else at the head. */
function initialPosition(live: ReadonlySet<Envelope>, head: Position): Position {
  const [first] = live;
  return first?.seq === undefined ? head : { epoch: head.epoch, seq: first.seq - 1 };
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

function byRecoveredPosition(a: RecoveredMessage, b: RecoveredMessage): number {
  return byPosition(a.message, b.message);
}

/**
 * Returns how a recovered message is delivered to a receiver. An existing receiver gets the messages that it missed. A
 * new receiver gets the messages that arrived live, and the kept messages as `forNew` says.
 *
 * @param isComplete true if no message is missing after the recovery
 * @param isForAll true if existing receivers also get the kept messages that they have not missed
 * @param hasJoined whether a receiver is an existing one
 */
export function deliveryOf(
  { isNew, isLive }: RecoveredMessage,
  isComplete: boolean,
  forNew: 'snapshot' | 'skip',
  isForAll: boolean,
  hasJoined: (receiver: Receiver) => boolean,
): (receiver: Receiver) => Delivery | 'skip' {
  const forOld = isForAll ? 'snapshot' : 'skip';
  const forExisting = !isNew ? forOld : isComplete ? 'recovered' : 'snapshot';
  return (receiver) => {
    const joined = hasJoined(receiver);
    if (isLive) return isNew || !joined ? 'live' : 'skip';
    return joined ? forExisting : forNew;
  };
}

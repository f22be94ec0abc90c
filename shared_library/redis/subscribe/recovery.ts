// What a reader does with the state of a channel that it has just read: what to deliver, and what to report as lost.

import type { Envelope } from '../wire/envelope.ts';
import { missingBetween, ORIGIN, type Position } from '../wire/position.ts';
import type { Gap } from './status.ts';

export interface CatchUpInput {
  /** Where the reader stood; undefined when it has not had a place yet. */
  readonly position: Position | undefined;
  /** The highest place that was reached in each epoch: a server with an older memory may present it again. */
  readonly reached: ReadonlyMap<number, number>;
  /**
   * The server has forgotten the end of the epoch it is in: it is on another branch, or behind a new link stands one that ends below
   * the reader's position.
   */
  readonly isForgotten: boolean;
  /** The top of the channel at the moment of the read. */
  readonly top: Position;
  /** What the server had kept. */
  readonly kept: readonly Envelope[];
  /** What arrived since the subscription was acknowledged, in order of arrival. */
  readonly held: readonly Envelope[];
  /** How many of them had arrived before the read was sent. */
  readonly heldBeforeRead: number;
}

export interface CatchUp {
  readonly gaps: readonly Omit<Gap, 'type' | 'channel'>[];
  /** How many numbers were not heard and were all found among the kept messages. */
  readonly repaired: number;
  /** Up to the top, in order. */
  readonly messages: readonly CaughtUp[];
  /** What lies behind the top, or has no number: to be taken as if it arrived now. */
  readonly rest: readonly Envelope[];
  /** What arrived before the read, and claims a place that the server had not given by then: somebody made it up. */
  readonly forged: readonly Envelope[];
}

export interface CaughtUp {
  readonly message: Envelope;
  /** Whether it comes after the place where the reader stood. */
  readonly isNew: boolean;
  /** Whether it arrived as it was published, and not only among the kept messages. */
  readonly wasHeard: boolean;
}

/**
 * Everything published before the read has arrived before its reply, so `held` is complete up to the top, but for what
 * was published before the subscription, or was lost on the way.
 */
export function catchUp({
  position,
  reached,
  isForgotten,
  top,
  kept,
  held,
  heldBeforeRead,
}: CatchUpInput): CatchUp {
  const isCovered = ({ epoch, seq }: Envelope) => epoch === top.epoch && (seq ?? 0) <= top.seq;
  const heard = new Set(held.filter(isCovered));
  const before = position ?? justBefore(heard, top);
  /** The place from which on messages of an epoch are new to the reader. */
  const after = (epoch: number) => Math.max(reached.get(epoch) ?? 0, epoch === before.epoch ? before.seq : 0);
  const isNew = ({ epoch = 0, seq = 0 }: Envelope) => epoch >= before.epoch && seq > after(epoch);
  const ended = endEpochs(before, after, top, held, kept);
  const { gap, repaired } = account(
    after(top.epoch),
    top,
    // What is older than the reader's epoch comes too late: it would be a step back.
    kept.filter((message) => isCovered(message) && isNew(message)),
    heard,
  );
  const arrived = new Set([...ended.heard, ...heard]);
  const messages = inOrder(kept, arrived).map((message) => ({
    message,
    isNew: isNew(message),
    wasHeard: arrived.has(message),
  }));
  const open = held.filter((message) => !heard.has(message) && !ended.heard.has(message));
  const early = new Set(held.slice(0, heldBeforeRead));
  const forged = new Set(open.filter((message) => isBehind(message, top) && early.has(message)));
  return {
    gaps: [
      ...ended.gaps,
      ...(gap === undefined ? [] : [gap]),
      ...(isForgotten && position !== undefined ? [endOfEpoch(top.epoch, lastOf(position, top))] : []),
    ],
    repaired,
    messages,
    rest: open.filter((message) => !forged.has(message)),
    forged: [...forged],
  };
}

type GapFound = CatchUp['gaps'][number];

/** What of one epoch was not heard: nothing, all of it found among the kept messages, or lost. */
function account(
  after: number,
  top: Position,
  kept: readonly Envelope[],
  heard: ReadonlySet<Envelope>,
): { gap: GapFound | undefined; repaired: number } {
  const unheard = missingBetween(after, top.seq, numbersOf(heard));
  if (unheard === undefined) return { gap: undefined, repaired: 0 };
  const common = { cause: 'loss', epoch: top.epoch } as const;
  const missing = missingBetween(after, top.seq, numbersOf([...kept, ...heard]));
  if (missing !== undefined) return { gap: { ...common, ...missing, repaired: false }, repaired: 0 };
  return { gap: { ...common, ...unheard, lost: 0, repaired: true }, repaired: unheard.lost };
}

interface EndedEpoch {
  readonly gaps: readonly GapFound[];
  readonly heard: ReadonlySet<Envelope>;
}

/**
 * The epochs that are over: the one in which the reader stood, and those of which a trace is left that began and ended since. What was
 * heard of each, or is still kept, is complete up to its last message there; what came after that cannot be known.
 */
function endEpochs(
  before: Position,
  after: (epoch: number) => number,
  top: Position,
  held: readonly Envelope[],
  kept: readonly Envelope[],
): EndedEpoch {
  if (before.epoch === top.epoch) return { gaps: [], heard: new Set() };
  const isAfter = ({ epoch = 0, seq = 0 }: Envelope) =>
    epoch !== top.epoch && epoch >= before.epoch && seq > after(epoch);
  const heard = new Set(held.filter((message) => isAfter(message) && (message.epoch ?? 0) < top.epoch));
  const present = [...kept.filter(isAfter), ...heard];
  const since = present.map(({ epoch = 0 }) => epoch).filter((epoch) => epoch < top.epoch);
  const epochs = new Set([
    ...(before.epoch === ORIGIN.epoch ? [] : [before.epoch]),
    ...since.sort((a, b) => a - b),
  ]);
  const gaps = [...epochs].flatMap((epoch) => {
    const after = epoch === before.epoch ? before.seq : 0;
    const ofEpoch = present.filter((message) => message.epoch === epoch);
    const last = Math.max(after, ...numbersOf(ofEpoch));
    const { gap } = account(
      after,
      { epoch, seq: last },
      ofEpoch,
      new Set(ofEpoch.filter((one) => heard.has(one))),
    );
    return gap === undefined ? [endOfEpoch(epoch, last)] : [gap, endOfEpoch(epoch, last)];
  });
  return { gaps, heard };
}

/** What came after `last` in an epoch that is over cannot be known. */
function endOfEpoch(epoch: number, last: number): GapFound {
  return { cause: 'epoch', epoch, from: last + 1, to: undefined, lost: undefined, repaired: false };
}

/** The last place of the epoch of `top` that the reader has accounted for. */
function lastOf(position: Position, top: Position): number {
  return position.epoch === top.epoch ? Math.max(position.seq, top.seq) : top.seq;
}

function isBehind({ epoch, seq }: Envelope, top: Position): boolean {
  if (epoch === undefined || seq === undefined) return false;
  return epoch > top.epoch || (epoch === top.epoch && seq > top.seq);
}

/** Where a reader without a place stood: before the first message it heard, or at the top. */
function justBefore(heard: ReadonlySet<Envelope>, top: Position): Position {
  const [first] = heard;
  return first?.seq === undefined ? top : { epoch: top.epoch, seq: first.seq - 1 };
}

function numbersOf(messages: Iterable<Envelope>): number[] {
  return Array.from(messages, ({ seq }) => seq ?? 0).sort((a, b) => a - b);
}

/** Each place once; a message that was heard stands for the same one as it was kept. */
function inOrder(kept: readonly Envelope[], heard: ReadonlySet<Envelope>): Envelope[] {
  const sorted = [...kept, ...heard].sort(byPlace);
  // Of the same place the last one stays: sorting keeps the order, and what was heard stands behind.
  return sorted.filter((message, index) => {
    const next = sorted[index + 1];
    return next === undefined || byPlace(message, next) !== 0;
  });
}

function byPlace(a: Envelope, b: Envelope): number {
  return (a.epoch ?? 0) - (b.epoch ?? 0) || (a.seq ?? 0) - (b.seq ?? 0);
}

// Decides which of several messages with the same number is the real one.

import type { Channel } from '../channel/channel.ts';
import type { Envelope } from '../wire/envelope.ts';
import { validatePayload } from '../wire/payload-schema.ts';
import { isBeyond, type Position } from '../wire/position.ts';
import type { ForgedNumbers } from './delivery-reports.ts';
import type { Progress } from './progress.ts';

export interface ArrivalsInput {
  readonly channel: Channel;
  /** All real messages up to this position arrived before. */
  readonly confirmed: Position;
  /** The last delivered position. Each number after `confirmed`, up to this position, was delivered once. */
  readonly position: Position;
  /** The head of the channel at the time of the read. */
  readonly head: Position;
  /** The messages that the server keeps. */
  readonly kept: readonly Envelope[];
  /** The messages that wait for the recovery, in order of arrival. */
  readonly held: readonly Envelope[];
  /** How many messages at the start of `held` arrived on an earlier link. The server may have lost them since. */
  readonly heldFromEarlierLinks: number;
  /** Remembers the messages delivered after `confirmed`. */
  readonly progress: Pick<Progress, 'delivered'>;
  /** False if messages may have been published since `position` without reaching this subscriber. */
  readonly isSameLink: boolean;
}

export interface Arrivals {
  /** The held messages that remain after this step. Up to the head, no two of them have the same number. */
  readonly held: readonly Envelope[];
  /** Messages to deliver although another message with the same number is delivered. None on a `state` channel. */
  readonly late: readonly Envelope[];
  readonly forged: readonly ForgedNumbers[];
  /** On a `state` channel, the delivered numbers whose real message is unknown. */
  readonly doubtful: readonly number[];
  /** True if a delivered message is forged, or may be. */
  readonly isTainted: boolean;
}

/**
 * The server assigns each number of an epoch once, and a link delivers it once. So if several messages have the same
 * number, at most one is real: the one that equals the copy on the server. If the server keeps no copy, nothing proves
 * which one is real. In that case all are delivered, except on a `state` channel, whose last values replace them.
 * Identical messages are delivered once.
 */
export function settleArrivals(input: ArrivalsInput): Arrivals {
  const { confirmed, position, head, kept, held } = input;
  const arrivals = new ArrivalsSettler(input);
  const heldByNumber = new MessagesByNumber();
  for (const [index, message] of held.entries()) {
    const { epoch, seq } = message;
    if (epoch === undefined || seq === undefined || epoch < confirmed.epoch) continue;
    if (index >= input.heldFromEarlierLinks && isBeyond(message, head)) continue;
    if (epoch === confirmed.epoch && seq <= confirmed.seq) arrivals.reject(message);
    else heldByNumber.add(message);
  }
  const keptByNumber = new MessagesByNumber();
  for (const message of kept) {
    if (heldByNumber.of(message) !== undefined) keptByNumber.add(message);
    else if (message.epoch === position.epoch) arrivals.compareWithDelivered(message);
  }
  for (const messages of heldByNumber.all()) {
    const [first] = messages as [Envelope];
    arrivals.settle(messages, keptByNumber.of(first)?.[0]);
  }
  return arrivals.result;
}

class ArrivalsSettler {
  readonly #input: ArrivalsInput;
  readonly #isState: boolean;
  readonly #removed = new Set<Envelope>();
  readonly #late: Envelope[] = [];
  readonly #forged: ForgedNumbers[] = [];
  readonly #doubtful: number[] = [];
  #isTainted = false;

  constructor(input: ArrivalsInput) {
    this.#input = input;
    this.#isState = input.channel.kind === 'state';
  }

  get result(): Arrivals {
    return {
      held: this.#input.held.filter((message) => !this.#removed.has(message)),
      late: this.#late,
      forged: this.#forged,
      doubtful: this.#doubtful,
      isTainted: this.#isTainted,
    };
  }

  reject(message: Envelope): void {
    this.#removed.add(message);
    this.#report([message], true);
  }

  /** @param messages the held messages with the same number, in order of arrival */
  settle(messages: readonly Envelope[], kept: Envelope | undefined): void {
    const [first] = messages as [Envelope];
    const isDelivered = this.#isDelivered(first);
    // Nearly always: on the same link, a single message up to the head is the real one.
    if (!isDelivered && messages.length === 1 && (kept === undefined || this.#input.isSameLink)) return;
    const before = isDelivered ? this.#delivered(first) : undefined;
    const distinct = this.#withoutCopies(messages, before);
    if (kept !== undefined) this.#settleByKept(distinct, before, isDelivered, kept);
    else if (distinct.length > (isDelivered ? 0 : 1)) this.#settleUnkept(distinct, before, isDelivered);
  }

  /** If the message delivered on an earlier link has another header than the kept one, the delivered one is forged. */
  compareWithDelivered(kept: Envelope): void {
    if (this.#input.isSameLink || !this.#isDelivered(kept)) return;
    const before = this.#delivered(kept);
    if (before !== undefined && !hasSameHeader(before, kept)) this.#settleByKept([], before, true, kept);
  }

  #withoutCopies(messages: readonly Envelope[], before: Envelope | undefined): readonly Envelope[] {
    const texts = new Set<string>();
    const distinct: Envelope[] = [];
    for (const message of messages) {
      const text = JSON.stringify(message);
      const isCopy =
        texts.has(text) || (before !== undefined && isCopyOf(this.#input.channel, before, message));
      if (isCopy) this.reject(message);
      else distinct.push(message);
      texts.add(text);
    }
    return distinct;
  }

  #settleByKept(
    distinct: readonly Envelope[],
    before: Envelope | undefined,
    isDelivered: boolean,
    kept: Envelope,
  ): void {
    const text = JSON.stringify(kept);
    const real = distinct.find((message) => JSON.stringify(message) === text);
    for (const message of distinct) if (message !== real) this.reject(message);
    // If nothing was delivered with this number yet, the real message is delivered later, from `held` or `kept`.
    if (!isDelivered) return;
    if (real === undefined && (before === undefined || hasSameHeader(before, kept))) return;
    this.#isTainted = true;
    // If the delivered message is no longer remembered, it may be the real one, so nothing is proved.
    this.#report([before ?? kept], before !== undefined);
    if (real !== undefined) this.#removed.add(real);
    if (!this.#isState) this.#late.push(real ?? kept);
  }

  #settleUnkept(distinct: readonly Envelope[], before: Envelope | undefined, isDelivered: boolean): void {
    const [first, ...others] = distinct as [Envelope, ...Envelope[]];
    this.#report(before === undefined ? distinct : [before, ...distinct], false);
    if (isDelivered) this.#isTainted = true;
    if (isDelivered && this.#isState) this.#doubtful.push(first.seq ?? 0);
    // If nothing was delivered with this number yet, its first message stays in `held`. On a `state` channel none does,
    // so the number is reported as lost.
    const surplus = isDelivered || this.#isState ? distinct : others;
    for (const message of surplus) this.#removed.add(message);
    if (!this.#isState) this.#late.push(...surplus);
  }

  #isDelivered({ epoch, seq = 0 }: Envelope): boolean {
    const { position, confirmed } = this.#input;
    return (
      epoch === position.epoch && seq <= position.seq && (epoch !== confirmed.epoch || seq > confirmed.seq)
    );
  }

  #delivered({ epoch = 0, seq = 0 }: Envelope): Envelope | undefined {
    return this.#input.progress.delivered(epoch, seq);
  }

  /** @param messages all with the same number */
  #report(messages: readonly Envelope[], isProved: boolean): void {
    const { epoch = 0, seq = 0 } = messages[0] ?? {};
    const senders = messages.map(({ sender }) => sender);
    this.#forged.push({ epoch, from: seq, to: seq, senders, isProved });
  }
}

class MessagesByNumber {
  readonly #byEpoch = new Map<number, Map<number, Envelope[]>>();

  add(message: Envelope): void {
    const { epoch = 0, seq = 0 } = message;
    const ofEpoch = this.#byEpoch.get(epoch) ?? new Map<number, Envelope[]>();
    this.#byEpoch.set(epoch, ofEpoch);
    const messages = ofEpoch.get(seq);
    if (messages === undefined) ofEpoch.set(seq, [message]);
    else messages.push(message);
  }

  of({ epoch = 0, seq = 0 }: Envelope): readonly Envelope[] | undefined {
    return this.#byEpoch.get(epoch)?.get(seq);
  }

  *all(): Iterable<readonly Envelope[]> {
    for (const ofEpoch of this.#byEpoch.values()) yield* ofEpoch.values();
  }
}

const HEADER_FIELDS = ['message_type', 'timestamp', 'sender', 'at', 'id', 'expires_at'] as const;

function hasSameHeader(a: Envelope, b: Envelope): boolean {
  return HEADER_FIELDS.every((name) => a[name] === b[name]);
}

/** Compares `delivered`, whose payload is the output of the schema, with `message`, whose payload is as it arrived. */
export function isCopyOf(channel: Channel, delivered: Envelope, message: Envelope): boolean {
  if (!hasSameHeader(delivered, message)) return false;
  try {
    const output = validatePayload(channel, message.message_type, message.data);
    return JSON.stringify(delivered.data) === JSON.stringify(output);
  } catch {
    return JSON.stringify(delivered.data) === JSON.stringify(message.data);
  }
}

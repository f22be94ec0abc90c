// Carries out the recoveries of one channel: plans them, reports what they found, and delivers the messages.

import type { Channel } from '../channel/channel.ts';
import type { ChannelState } from '../transport/port.ts';
import type { Envelope } from '../wire/envelope.ts';
import { isBeyond, type Position, positionOf } from '../wire/position.ts';
import type { AdoptedValues } from './adopted-values.ts';
import { decodeKept, type OnInvalid } from './decoder.ts';
import type { DeliveryReports } from './delivery-reports.ts';
import { EpochTops } from './epoch-tops.ts';
import type { FanOut, Receiver } from './fan-out.ts';
import type { HeldMessages } from './held-messages.ts';
import type { Progress } from './progress.ts';
import { deliveryOf, planRecovery, type RecoveryPlan } from './recovery-plan.ts';
import { type ComparedValues, checkValues } from './value-check.ts';

export interface RecoveryOptions {
  readonly channel: Channel;
  /** The next step of the receive path. */
  readonly fanOut: FanOut;
  readonly onInvalid: OnInvalid;
  readonly reports: DeliveryReports;
  readonly progress: Progress;
  readonly held: HeldMessages;
  readonly adopted: AdoptedValues;
  /** Called if a last value of a `state` channel may be forged: forget all last values. The real ones follow. */
  readonly onDistrust?: (() => void) | undefined;
  /** The latest values of the subscriptions. Undefined: a receiver gets all last values again after a doubtful loss. */
  readonly values?: ComparedValues | undefined;
}

export class Recovery {
  readonly #options: RecoveryOptions;
  readonly #reached = new EpochTops();
  /** The receivers whose keys the recovery in flight reads; undefined if it reads all keys. */
  #readFor: readonly Receiver[] | undefined;
  #isDelivering = false;
  /** True from when a last value may be forged, until all receivers of the `state` channel have got all last values. */
  #isDistrusted = false;
  /** The invalid messages that the last plan found. They are reported only if the plan is carried out. */
  #invalid: Parameters<OnInvalid>[] = [];
  /** The adopted values that the last plan found. */
  #adopted: readonly Envelope[] = [];
  /** When the read for the recovery was sent; see `AdoptedValues.now`. */
  #readAt = 0;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** Whether the recovery must read all last values, not only those after the confirmed position. */
  needsSnapshot(isNewLink: boolean): boolean {
    const { channel, fanOut } = this.#options;
    if (channel.kind !== 'state') return false;
    // Adopted values have no position, so those that were published while the link was down are among all.
    return fanOut.hasNewReceiver || this.#isDistrusted || (channel.adopt && isNewLink);
  }

  /** Called when the read for a recovery is sent. */
  begin(): void {
    const { fanOut, adopted } = this.#options;
    this.#readAt = adopted.now();
    this.#readFor = fanOut.keys && fanOut.receivers;
  }

  /** The receivers that the recovery serves: all present ones, or those at its start if it read only their keys. */
  get receivers(): ReadonlySet<Receiver> {
    return new Set(this.#readFor ?? this.#options.fanOut.receivers);
  }

  /** True while recovered messages are delivered. */
  get isDelivering(): boolean {
    return this.#isDelivering;
  }

  /** Returns false, without effect, if the last values are already distrusted or the kind is not `state`. */
  distrust(): boolean {
    const { channel, onDistrust } = this.#options;
    if (channel.kind !== 'state' || this.#isDistrusted) return false;
    this.#isDistrusted = true;
    onDistrust?.();
    return true;
  }

  /**
   * A server may come back with older data. Either the server reports it (`isForgotten`), or on a new connection its
   * head is below the position. The rest of that epoch is then reported as a gap of unknown size. It is reported only
   * once, even if the next publish begins a new epoch.
   *
   * @param state the answer to a read that was sent when `heldBeforeRead` messages were held
   */
  plan(state: ChannelState, heldBeforeRead: number, isNewLink: boolean): RecoveryPlan {
    const { channel, progress, held } = this.#options;
    const { position: head, entries } = state;
    this.#invalid = [];
    const { position } = progress;
    const isBelow = position?.epoch === head.epoch && head.seq < position.seq;
    this.#reached.add(isBelow && !isNewLink ? head : this.#provedPosition(head, isNewLink));
    const isForgotten = state.isForgotten === true || (isNewLink && isBelow);
    const stored = decodeKept(entries, (...found) => this.#invalid.push(found));
    const kept = stored.filter((message) => !isAdopted(message));
    this.#adopted = stored.filter(isAdopted);
    const plan = planRecovery({
      channel,
      progress,
      isSameLink: !isNewLink,
      highestSeqs: this.#reached.byEpoch,
      isForgotten,
      head,
      kept,
      held: held.all,
      heldFromEarlierLinks: held.fromEarlierLinks,
      hasDroppedRivals: held.hasDroppedRivals,
      heldBeforeRead,
    });
    const isDoubtful = plan.hasUnprovedTail || (isNewLink && !progress.isConfirmed);
    if (plan.isTainted || !isDoubtful || channel.kind !== 'state' || this.#isDistrusted) return plan;
    const isIntact = state.isForgotten !== true && position?.epoch === head.epoch;
    return { ...plan, isTainted: this.#isForged(plan, kept, isIntact) };
  }

  /**
   * Compares the latest values with those that the server keeps. Called if a delivered message may have been forged: a
   * real one with the same number can then have been dropped as a duplicate.
   *
   * @param isIntact whether the server still has everything that was published. If not, a latest value that it does not
   *   keep may be real: it is only removed from `values`
   * @returns true if the kept values must be delivered again: one differs, or they cannot be compared
   */
  #isForged({ head, rest }: RecoveryPlan, kept: readonly Envelope[], isIntact: boolean): boolean {
    const { channel, fanOut, values, progress } = this.#options;
    if (values === undefined || !fanOut.hasAllValues) return true;
    const check = checkValues({ channel, values, progress, kept, head, rest, fanOut });
    if (check.isMissing || (isIntact && check.unproved.length > 0)) return true;
    for (const key of [...check.unproved, ...check.unprovable]) values.delete(key);
    return false;
  }

  /** Reports and delivers to the receivers that were there when the recovery ended. */
  deliver(plan: RecoveryPlan, receivers: ReadonlySet<Receiver>): void {
    const { channel, fanOut, reports, onInvalid } = this.#options;
    for (const [error, message] of this.#invalid) onInvalid(error, message);
    reports.forged(plan.forged);
    for (const gap of plan.gaps) reports.gap(gap);
    reports.counters.repaired += plan.repaired;
    const forNew = channel.kind === 'state' ? 'snapshot' : 'skip';
    const isForAll = this.#isDistrusted;
    this.#isDistrusted = false;
    const isComplete = plan.gaps.every((gap) => gap.repaired);
    const hasJoined = (receiver: Receiver) => fanOut.hasJoined(receiver);
    this.#isDelivering = true;
    for (const recovered of plan.messages) {
      const { message, isLive } = recovered;
      // A number that appears only in a received message may be invented, so it is not recorded.
      if (!isLive || isProvedBy(plan.head, message)) this.#reached.add(positionOf(message));
      const deliveryTo = deliveryOf(recovered, isComplete, forNew, isForAll, hasJoined);
      fanOut.dispatch(message, (receiver) => (receivers.has(receiver) ? deliveryTo(receiver) : 'skip'));
    }
    for (const value of this.#adopted) this.#deliverAdopted(value, receivers, isForAll);
    this.#isDelivering = false;
  }

  #deliverAdopted(value: Envelope, receivers: ReadonlySet<Receiver>, isForAll: boolean): void {
    const { fanOut, adopted } = this.#options;
    const isDue = (receiver: Receiver) =>
      receivers.has(receiver) && (isForAll || adopted.lacks(receiver, value));
    const due = new Set(fanOut.receivers.filter(isDue));
    if (due.size === 0) return;
    adopted.hear(value, this.#readAt);
    fanOut.dispatch(value, (receiver) => (due.has(receiver) ? 'snapshot' : 'skip'));
  }

  /**
   * The position of the subscriber; undefined if its epoch may be invented. On a new link, a `state` channel uses the
   * confirmed position, because real messages with the unconfirmed numbers may still follow.
   */
  #provedPosition(head: Position, isNewLink: boolean): Position | undefined {
    const { channel, progress } = this.#options;
    const { position, confirmed } = progress;
    if (isNewLink && channel.kind === 'state') return confirmed;
    return position?.epoch === head.epoch || position?.epoch === confirmed?.epoch ? position : undefined;
  }
}

function isAdopted({ adopted, seq }: Envelope): boolean {
  return adopted === true && seq === undefined;
}

function isProvedBy(head: Position, message: Envelope): boolean {
  return message.epoch === head.epoch && !isBeyond(message, head);
}

// Carries out the recoveries of one channel: plans them, and delivers the recovered messages.

import type { Channel } from '../channel/channel.ts';
import { type Position, positionOf } from '../wire/position.ts';
import { EpochTops } from './epoch-tops.ts';
import type { FanOut, Receiver } from './fan-out.ts';
import { deliveryOf, planRecovery, type RecoveryInput, type RecoveryPlan } from './recovery-plan.ts';

export class Recovery {
  readonly #channel: Channel;
  readonly #fanOut: FanOut;
  readonly #reached = new EpochTops();
  #isDelivering = false;

  constructor(channel: Channel, fanOut: FanOut) {
    this.#channel = channel;
    this.#fanOut = fanOut;
  }

  /** True while recovered messages are delivered. */
  get isDelivering(): boolean {
    return this.#isDelivering;
  }

  plan(input: Omit<RecoveryInput, 'channel' | 'highestSeqs'>): RecoveryPlan {
    this.#reached.add(provedPosition(input));
    return planRecovery({ ...input, channel: this.#channel, highestSeqs: this.#reached.byEpoch });
  }

  /**
   * Delivers to the receivers that were there when the recovery ended.
   *
   * @param isForAll true if all receivers get all last values, also those that they did not miss
   */
  deliver({ gaps, messages, head }: RecoveryPlan, receivers: ReadonlySet<Receiver>, isForAll: boolean): void {
    const forNew = this.#channel.kind === 'state' ? 'snapshot' : 'skip';
    const isComplete = gaps.every((gap) => gap.repaired);
    this.#isDelivering = true;
    for (const recovered of messages) {
      // An epoch that only a received message shows may be an invented one.
      if (!recovered.isLive || recovered.message.epoch === head.epoch)
        this.#reached.add(positionOf(recovered.message));
      const deliveryTo = deliveryOf(recovered, isComplete, forNew, isForAll);
      this.#fanOut.dispatch(recovered.message, (receiver) =>
        receivers.has(receiver) ? deliveryTo(receiver) : 'skip',
      );
    }
    this.#isDelivering = false;
  }
}

/** The highest position of the subscriber that the server confirms; undefined if its epoch may be invented. */
function provedPosition({
  position,
  head,
  unconfirmed,
  isSameLink,
}: Pick<RecoveryInput, 'position' | 'head' | 'unconfirmed' | 'isSameLink'>): Position | undefined {
  if (position === undefined) return undefined;
  if (position.epoch === head.epoch) return isSameLink && head.seq < position.seq ? head : position;
  return unconfirmed.confirmed?.epoch === position.epoch ? position : undefined;
}

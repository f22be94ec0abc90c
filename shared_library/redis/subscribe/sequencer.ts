// Second step of the receive path: checks the position of each message, detects losses and recovers.

import type { TickbusError } from '../errors.ts';
import type { ChannelState } from '../transport/port.ts';
import { type Envelope, invalidMessage } from '../wire/envelope.ts';
import { ORIGIN, type Position, positionOf, relate } from '../wire/position.ts';
import { decodeKept, type OnInvalid } from './decoder.ts';
import { EpochTops } from './epoch-tops.ts';
import type { FanOut, Receiver } from './fan-out.ts';
import { HeldMessages } from './held-messages.ts';
import { deliveryOf, planRecovery, type RecoveryPlan } from './recovery-plan.ts';
import { StateQueries, type StateQueriesOptions } from './state-queries.ts';
import type { ChannelStatus } from './status.ts';

export interface SequencerOptions
  extends Pick<StateQueriesOptions, 'channel' | 'transport' | 'clock' | 'onAnswer'> {
  /** The next step of the receive path. */
  readonly fanOut: FanOut;
  readonly onStatus: (status: ChannelStatus) => void;
  readonly onInvalid: OnInvalid;
}

/**
 * States:
 *
 * - `idle`: not subscribed yet.
 * - `recovering`: subscribed; a read of the channel's state is in flight, and messages that arrive are held. A new
 *   connection, a missing message or a new epoch starts another recovery, which discards the result of this one.
 * - `live`: the next message after `#position` is delivered; a message further ahead starts a recovery.
 * - `closed`: nothing is delivered any more.
 *
 * Subscribing and reading use one ordered link, so the reply to a read is a barrier: all earlier messages precede it.
 * `#enter` is the only method that changes the mode. A `plain` channel has no positions and is live once subscribed.
 * A user who may subscribe but not read (`#mayRead` is false) still sees positions: losses are reported, not repaired.
 */
export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #isNumbered: boolean;
  #mode: 'idle' | 'recovering' | 'live' | 'closed' = 'idle';
  #position: Position | undefined;
  #held = new HeldMessages();
  readonly #queries: StateQueries;
  readonly #reached = new EpochTops();
  /** True from a new connection until the first recovery on it is complete. */
  #isNewLink = false;
  /** The epoch of the last reported gap with cause `epoch`. Another such gap of this epoch is not reported. */
  #endedEpoch: number | undefined;
  /** True if the recovery in flight reads all last values, not only those after the position. */
  #readsSnapshot = false;
  /** The receivers whose keys the recovery in flight reads; undefined: all. */
  #readFor: readonly Receiver[] | undefined;
  #mayRead = true;
  #isDeliveringRecovered = false;
  #isCompleting = false;
  #setPlaced: () => void = () => {};
  readonly #counters = { gaps: 0, lost: 0, repaired: 0 };
  /**
   * Resolves when the position is known: from then on each published message is delivered or reported as lost. Also
   * resolves after a recovery that failed, which is reported, and on `close`.
   */
  readonly placed: Promise<void> = new Promise((resolve) => {
    this.#setPlaced = resolve;
  });

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#isNumbered = options.channel.kind !== 'plain';
    this.#queries = new StateQueries({
      ...options,
      position: () => this.#position ?? ORIGIN,
      keys: () => options.fanOut.keys,
      onHeadMismatch: () => this.#recover(),
    });
  }

  get counters() {
    return this.#counters;
  }

  get mode(): 'idle' | 'recovering' | 'live' | 'closed' {
    return this.#mode;
  }

  get position(): Position | undefined {
    return this.#position;
  }

  /** True if the last message of each key is its newest one: when live, or while recovered messages are delivered. */
  get isUpToDate(): boolean {
    return this.#mode === 'live' || this.#isDeliveringRecovered;
  }

  /** The facts from the last answers of the server: when nothing was missing, and who held the lease. */
  get queries(): Pick<StateQueries, 'confirmedAt' | 'lease' | 'settled'> {
    return this.#queries;
  }

  /** Called when the channel has been subscribed to on a new connection. */
  start(): void {
    this.#mayRead = true;
    this.#isNewLink = true;
    this.#recover();
  }

  /** Called when the link is down: messages are held until it is back, and a recovery in flight is discarded. */
  suspend(): void {
    if (this.#mode === 'idle' || this.#mode === 'closed') return;
    this.#enter('recovering');
  }

  /** Delivers the held messages. After that, nothing is delivered. */
  close(): void {
    if (this.#mode === 'recovering') this.#recoverWithoutReading();
    this.#enter('closed');
    this.#held = new HeldMessages();
  }

  /** Reads the last values for a receiver that was added. */
  snapshot(): void {
    // `#completeRecovery` starts another recovery for a receiver that was added during it.
    if (this.#isCompleting) return;
    // A recovery in flight that reads all last values also serves the new receiver.
    if (this.#mode === 'live' || (this.#mode === 'recovering' && !this.#readsSnapshot)) this.#recover();
  }

  /** Checks the head (the newest position on the server) now instead of at the next interval. */
  checkHead(): void {
    if (this.#mode === 'live' && this.#isNumbered && this.#mayRead) this.#queries.checkHead();
  }

  /** Takes the next message that arrived. */
  accept(message: Envelope): void {
    if (this.#mode === 'closed') return;
    if (this.#mode !== 'live') return this.#hold(message);
    const position = this.#isNumbered ? positionOf(message) : undefined;
    if (position !== undefined) {
      const relation = relate(this.#position ?? ORIGIN, position);
      // An ordered link delivers no number twice: this message or an earlier one was forged. Which one is unknown.
      if (relation === 'seen') return this.#options.onInvalid(USED, message);
      if (relation !== 'next') {
        this.#hold(message);
        return this.#recover();
      }
      this.#position = position;
    }
    this.#options.fanOut.dispatch(message, asLive);
  }

  #enter(mode: 'recovering' | 'live' | 'closed'): void {
    this.#mode = mode;
    this.#queries.cancel();
    if (mode !== 'recovering') this.#setPlaced();
    if (mode === 'live' && this.#isNumbered && this.#mayRead) this.#queries.watchHead();
  }

  #hold(message: Envelope): void {
    // Beyond the limits they are dropped; the new recovery sees them as a gap.
    if (!this.#held.hasRoomFor(message)) {
      this.#held = new HeldMessages();
      this.#recover();
    }
    this.#held.push(message);
    if (!this.#mayRead) this.#recoverWithoutReading();
  }

  // --- recovering ---

  #recover(): void {
    const { channel, fanOut, onStatus } = this.#options;
    // A listener or handler may have removed the last receiver, here and below.
    if (this.#mode === 'closed') return;
    if (!this.#isNumbered) return this.#goLive(fanOut.receivers);
    this.#enter('recovering');
    onStatus({ type: 'recovering', channel: channel.name });
    if (this.mode === 'closed') return;
    if (!this.#mayRead) return this.#recoverWithoutReading();
    this.#readsSnapshot = channel.kind === 'state' && fanOut.hasNewReceiver;
    this.#readFor = fanOut.keys && fanOut.receivers;
    const heldBeforeRead = this.#held.all.length;
    this.#queries.read(
      this.#readsSnapshot ? undefined : this.#position,
      (state) => this.#completeRecovery(state, heldBeforeRead),
      (error) => this.#recoveryFailed(error),
    );
  }

  /**
   * A lost link starts a new recovery when it is back. Any other failure is reported, and the recovery is retried. A
   * user without permission to read continues without reading.
   */
  #recoveryFailed(error: TickbusError): void {
    const { channel, onStatus } = this.#options;
    if (error.code === 'TICKBUS_NOT_CONNECTED' || error.code === 'TICKBUS_CLOSED') return;
    onStatus({ type: 'recovery_failed', channel: channel.name, error });
    if (this.#mode === 'closed') return;
    this.#setPlaced();
    if (error.code === 'TICKBUS_DENIED') {
      this.#mayRead = false;
      this.#recoverWithoutReading();
    } else {
      this.#queries.retry(() => this.#recover());
    }
  }

  /** Takes the last position of the held messages as the head. While none is numbered, the recovery continues. */
  #recoverWithoutReading(): void {
    this.#readFor = undefined;
    const last = this.#held.all.map(positionOf).findLast((position) => position !== undefined);
    if (last !== undefined) this.#completeRecovery({ position: last, entries: [] }, 0);
  }

  /**
   * A server may come back with older data: on another branch, or after a new connection with its head below the
   * position. The rest of that epoch is reported as unknown once, even if the next publish begins a new epoch.
   */
  #completeRecovery(
    state: Pick<ChannelState, 'position' | 'entries' | 'isForgotten'>,
    heldBeforeRead: number,
  ): void {
    const { channel, fanOut, onInvalid } = this.#options;
    const { position: head, entries } = state;
    const before = this.#position;
    const isBelow = before?.epoch === head.epoch && head.seq < before.seq;
    this.#reached.add(before);
    const { gaps, repaired, messages, rest, forged } = planRecovery({
      position: before,
      highestSeqs: this.#reached.byEpoch,
      isForgotten: state.isForgotten === true || (this.#isNewLink && isBelow),
      head,
      kept: decodeKept(entries, onInvalid),
      held: this.#held.all,
      heldBeforeRead,
    });
    this.#held = new HeldMessages();
    this.#isNewLink = false;
    this.#position = head;
    // A receiver that a listener or handler adds now gets none of these messages, but a recovery of its own.
    const receivers = new Set(this.#readFor ?? fanOut.receivers);
    this.#isCompleting = true;
    for (const gap of gaps) this.#reportGap(gap);
    this.#counters.repaired += repaired;
    const forNew = channel.kind === 'state' ? 'snapshot' : 'skip';
    const isComplete = gaps.every((gap) => gap.repaired);
    this.#isDeliveringRecovered = true;
    for (const recovered of messages) {
      this.#reached.add(positionOf(recovered.message));
      const deliveryTo = deliveryOf(recovered, isComplete, forNew);
      fanOut.dispatch(recovered.message, (receiver) =>
        receivers.has(receiver) ? deliveryTo(receiver) : 'skip',
      );
    }
    this.#isDeliveringRecovered = false;
    this.#isCompleting = false;
    if (this.mode === 'closed') return;
    this.#goLive(channel.kind === 'state' ? receivers : fanOut.receivers);
    for (const message of forged) onInvalid(FORGED, message);
    this.#acceptAll(rest);
    if (this.mode === 'live' && fanOut.hasNewReceiver) this.#recover();
  }

  #reportGap(gap: RecoveryPlan['gaps'][number]): void {
    if (gap.cause === 'epoch') {
      if (gap.epoch === this.#endedEpoch) return;
      this.#endedEpoch = gap.epoch;
    }
    const { channel, onStatus } = this.#options;
    this.#counters.gaps++;
    this.#counters.lost += gap.lost ?? 0;
    onStatus({ type: 'gap', channel: channel.name, ...gap });
  }

  #goLive(receivers: Iterable<Receiver>): void {
    const { channel, onStatus } = this.#options;
    for (const receiver of receivers) receiver.joined = true;
    this.#enter('live');
    onStatus({ type: 'live', channel: channel.name, numbered: this.#isNumbered });
  }

  /** One recovery serves all messages ahead of the position, because they arrived before its read is sent. */
  #acceptAll(messages: readonly Envelope[]): void {
    for (const [index, message] of messages.entries()) {
      if (isAhead(this.#position ?? ORIGIN, message)) {
        this.#held = new HeldMessages(messages.slice(index));
        return this.#recover();
      }
      this.accept(message);
    }
  }
}

const asLive = () => 'live' as const;
const USED = invalidMessage('is a sequence number that was already delivered', 'seq');
const FORGED = invalidMessage('is a sequence number that the server never assigned', 'seq');

function isAhead(position: Position, message: Envelope): boolean {
  const reached = positionOf(message);
  const relation = reached && relate(position, reached);
  return relation === 'ahead' || relation === 'new_epoch';
}

// Second step of the receive path: checks positions, detects losses and forged numbers, and recovers lost messages.

import type { TickbusError } from '../errors.ts';
import type { ChannelState } from '../transport/port.ts';
import type { Envelope } from '../wire/envelope.ts';
import { ORIGIN, type Position, positionOf, relate } from '../wire/position.ts';
import { DeliveryReports, forgedNumber } from './delivery-reports.ts';
import type { Receiver } from './fan-out.ts';
import { HeldMessages } from './held-messages.ts';
import { Progress } from './progress.ts';
import { Recovery, type RecoveryOptions } from './recovery.ts';
import { RecoveryPause } from './recovery-pause.ts';
import { StateQueries, type StateQueriesOptions } from './state-queries.ts';
import type { ChannelStatus } from './status.ts';

export interface SequencerOptions
  extends Pick<StateQueriesOptions, 'channel' | 'transport' | 'clock' | 'onAnswer' | 'onPartitions'>,
    Pick<RecoveryOptions, 'fanOut' | 'onInvalid' | 'onDistrust' | 'values' | 'adopted'> {
  /** See `ChannelReaderOptions.since`. */
  readonly since?: Position | undefined;
  /** See `ChannelReaderHooks.mayDeliver`. */
  readonly mayDeliver?: ((partitions: number | undefined) => boolean) | undefined;
  readonly onStatus: (status: ChannelStatus) => void;
}

/**
 * States:
 *
 * - `idle`: not subscribed yet.
 * - `recovering`: subscribed; a read of the channel is due or in flight, and messages that arrive are held. A new
 *   connection, a new receiver, too many held messages or a doubtful result discards this recovery and starts another.
 * - `live`: the next message after the position is delivered; a message ahead, of a new epoch, or with an unconfirmed
 *   delivered number starts a recovery. After forged numbers it is held until the end of a pause (`RecoveryPause`).
 * - `closed`: nothing is delivered any more.
 *
 * Subscribing and reading use one ordered link, so all messages published before a read arrive before its reply.
 * `#enter` is the only method that changes the mode. A `plain` channel has no positions and is live once subscribed. A
 * user who may subscribe but not read (`#mayRead` is false) gets messages as they arrive, and losses are reported.
 */
export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #isNumbered: boolean;
  #mode: 'idle' | 'recovering' | 'live' | 'closed' = 'idle';
  readonly #progress: Progress;
  readonly #held = new HeldMessages();
  readonly #queries: StateQueries;
  readonly #pause: RecoveryPause;
  readonly #reports: DeliveryReports;
  readonly #recovery: Recovery;
  /** True from a new connection until the first recovery on it is complete. */
  #isNewLink = false;
  /** True if the recovery in flight reads all last values, not only those after the confirmed position. */
  #readsSnapshot = false;
  #mayRead = true;
  #isCompleting = false;
  #setPlaced: () => void = () => {};

  /** Resolves once the position is known, after a failed recovery, and on `close`. From then on no loss is silent. */
  readonly placed: Promise<void> = new Promise((resolve) => {
    this.#setPlaced = resolve;
  });

  constructor(options: SequencerOptions) {
    const { channel, clock, onStatus } = options;
    this.#options = options;
    this.#progress = new Progress(options.since);
    this.#isNumbered = channel.kind !== 'plain';
    this.#pause = new RecoveryPause(clock);
    this.#reports = new DeliveryReports({ channel: channel.name, clock, onStatus });
    const shared = { reports: this.#reports, progress: this.#progress, held: this.#held };
    this.#recovery = new Recovery({ ...options, ...shared });
    this.#queries = new StateQueries({
      ...options,
      position: () => this.#progress.position ?? ORIGIN,
      keys: () => options.fanOut.keys,
      onHeadMatch: (head) => this.#progress.confirm(head),
      onHeadMismatch: () => this.#recover(),
      onHeadBelow: (head) => this.#stepBack(head),
    });
  }

  get counters(): DeliveryReports['counters'] {
    return this.#reports.counters;
  }

  get mode(): 'idle' | 'recovering' | 'live' | 'closed' {
    return this.#mode;
  }

  get position(): Position | undefined {
    return this.#progress.position;
  }

  /** True if the last message of each key is the newest published: if live, or while recovered ones are delivered. */
  get isUpToDate(): boolean {
    return this.#mode === 'live' || this.#recovery.isDelivering;
  }

  /** From the last answers of the server: when it confirmed that nothing was missing, and who held the lease. */
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
    this.#held.endLink(this.#options.channel.kind, this.#progress.position ?? ORIGIN);
    this.#enter('recovering');
  }

  /** Delivers the held messages. After that, nothing is delivered. */
  close(): void {
    for (const message of this.#held.takeAll()) this.#deliverUnread(message);
    this.#enter('closed');
    this.#reports.close();
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

  /** See `ChannelReader.recover`. */
  recover(): void {
    if (this.#mode === 'recovering') this.#recover();
  }

  /** Takes the next message that arrived. */
  accept(message: Envelope): void {
    if (this.#mode === 'closed') return;
    if (this.#mode !== 'live') return this.#hold(message);
    const position = this.#isNumbered ? positionOf(message) : undefined;
    if (position !== undefined) {
      const before = this.#progress.position ?? ORIGIN;
      const relation = relate(before, position);
      // The first message of a channel without a head is not proved: it may come from another database of the server.
      if (relation !== 'next' || before.epoch === ORIGIN.epoch)
        return this.#acceptUnexpected(message, position, relation === 'seen');
      this.#progress.advance(position, message);
    }
    this.#options.fanOut.dispatch(message, asLive);
  }

  #acceptUnexpected(message: Envelope, position: Position, isSeen: boolean): void {
    if (!this.#mayRead) return this.#deliverUnread(message);
    if (isSeen && this.#progress.has(position)) return this.#reports.forged([forgedNumber(message)]);
    if (isSeen) {
      // This message or the delivered one with its number is forged.
      this.#recovery.distrust();
      this.#recoverAhead(message);
    } else {
      this.#hold(message);
      if (this.#held.all.length === 1 || !this.#pause.isActive) this.#pause.run(() => this.#recoverAhead());
    }
  }

  /** Reports the overtaken held messages as forged. If others remain, or `message` is given, starts a recovery. */
  #recoverAhead(message?: Envelope): void {
    this.#reports.forged(this.#held.takeOvertaken(this.#progress.position ?? ORIGIN).map(forgedNumber));
    if (message !== undefined) this.#hold(message);
    if (this.#held.all.length > 0) this.#recover();
  }

  /** No read proves the number, so the message is delivered, and the gap or conflict that it implies is reported. */
  #deliverUnread(message: Envelope): void {
    if (!this.#isNumbered || this.#progress.moveUnproved(message, this.#reports))
      this.#options.fanOut.dispatch(message, asLive);
  }

  #enter(mode: 'recovering' | 'live' | 'closed'): void {
    this.#mode = mode;
    this.#queries.cancel();
    this.#pause.cancel();
    if (mode !== 'recovering') this.#setPlaced();
    if (mode === 'live' && this.#isNumbered && this.#mayRead) this.#queries.watchHead();
  }

  #hold(message: Envelope): void {
    // At the limits, the held messages are dropped; the new recovery finds their gap.
    if (!this.#held.hasRoomFor(message)) {
      this.#held.drop(this.#progress.position ?? ORIGIN);
      this.#recover();
    }
    this.#held.add(message);
    if (!this.#mayRead) this.#continueUnread();
  }

  /** Ends the recovery of a user who may not read, once a numbered message is held. */
  #continueUnread(): void {
    if (!this.#held.hasNumbered) return;
    const held = this.#held.takeAll();
    this.#goLive(this.#options.fanOut.receivers);
    for (const message of held) this.accept(message);
  }

  /** The head proves that all messages above it are forged. The real messages with these numbers follow. */
  #stepBack(head: Position): void {
    const forged = this.#progress.stepBack(head);
    if (this.#recovery.distrust()) this.#recover();
    else this.#queries.watchHead();
    this.#pause.begin();
    this.#reports.forged([forged]);
  }

  #recover(): void {
    const { channel, fanOut, onStatus } = this.#options;
    // A listener or handler may have removed the last receiver, which closes the sequencer. The same applies below.
    if (this.#mode === 'closed') return;
    if (!this.#isNumbered) return this.#goLive(fanOut.receivers);
    this.#enter('recovering');
    onStatus({ type: 'recovering', channel: channel.name });
    if (this.mode === 'closed') return;
    if (this.#mayRead) this.#pause.run(() => this.#read());
    else this.#continueUnread();
  }

  #read(): void {
    const { channel } = this.#options;
    this.#readsSnapshot = this.#recovery.needsSnapshot(this.#isNewLink);
    this.#recovery.begin();
    const heldBeforeRead = this.#held.all.length;
    // A new subscriber needs no history: what was published after it subscribed has arrived.
    const first = channel.kind === 'event' && heldBeforeRead === 0 ? 'head' : undefined;
    this.#queries.read(
      this.#readsSnapshot ? undefined : (this.#progress.readSince ?? first),
      (state) => this.#completeRecovery(state, heldBeforeRead),
      (error) => this.#recoveryFailed(error),
    );
  }

  /** After a lost link, the next one recovers. Any other failure is reported, and the recovery is retried. */
  #recoveryFailed(error: TickbusError): void {
    const { channel, onStatus } = this.#options;
    if (error.code === 'TICKBUS_NOT_CONNECTED' || error.code === 'TICKBUS_CLOSED') return;
    onStatus({ type: 'recovery_failed', channel: channel.name, error });
    if (this.#mode === 'closed') return;
    this.#setPlaced();
    if (error.code === 'TICKBUS_DENIED') {
      this.#mayRead = false;
      this.#continueUnread();
    } else this.#queries.retry(() => this.#recover());
  }

  #completeRecovery(state: ChannelState, heldBeforeRead: number): void {
    const { channel, fanOut, mayDeliver, onPartitions } = this.#options;
    // The number can change again meanwhile.
    if (mayDeliver?.(state.partitions) === false) return this.#queries.retry(() => this.#recover());
    const plan = this.#recovery.plan(state, heldBeforeRead, this.#isNewLink);
    if (plan.isTainted && this.#recovery.distrust()) return this.#recover();
    this.#held.takeAll();
    this.#isNewLink = false;
    this.#progress.moveTo(state.position);
    if (plan.forged.length > 0) this.#pause.begin();
    // If a listener or handler adds a receiver now, it gets none of these messages. Another recovery serves it.
    const { receivers } = this.#recovery;
    this.#isCompleting = true;
    this.#recovery.deliver(plan, receivers);
    this.#isCompleting = false;
    if (this.mode === 'closed') return;
    this.#goLive(channel.kind === 'state' ? receivers : fanOut.receivers);
    this.#acceptAll(plan.rest);
    if (this.mode === 'live') onPartitions?.(state.partitions);
    if (this.mode === 'live' && fanOut.hasNewReceiver) this.#recover();
  }

  #goLive(receivers: Iterable<Receiver>): void {
    const { channel, fanOut, onStatus } = this.#options;
    fanOut.join(receivers);
    this.#enter('live');
    onStatus({ type: 'live', channel: channel.name, numbered: this.#isNumbered });
  }

  /** The first message ahead of the position starts a recovery, which serves the later ones: all have arrived. */
  #acceptAll(messages: readonly Envelope[]): void {
    for (const [index, message] of messages.entries()) {
      if (!this.#pause.isActive && this.#progress.isBehind(message)) {
        for (const ahead of messages.slice(index)) this.#held.add(ahead);
        return this.#recover();
      }
      this.accept(message);
    }
  }
}

const asLive = () => 'live' as const;

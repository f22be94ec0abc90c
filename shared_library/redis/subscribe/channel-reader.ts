// Reads one channel for all subscriptions of one subscriber: knows its place in it, notices losses, recovers.

import type { Channel } from '../channel/channel.ts';

import type { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { ChannelState, FenceToken, Transport } from '../transport/port.ts';
import { type Envelope, invalidMessage } from '../wire/envelope.ts';
import type { Message } from '../wire/message.ts';
import { ORIGIN, type Position, relate } from '../wire/position.ts';
import { FanOut, type FanOutHooks, type OnMessage } from './fan-out.ts';
import { type CaughtUp, catchUp } from './recovery.ts';
import type { ChannelStatus } from './status.ts';
import type { Subscription } from './subscription.ts';
import type { Tap } from './tap.ts';

interface ChannelReaderHooks extends FanOutHooks {
  readonly onStatus: (status: ChannelStatus) => void;
  /** The server answered now what was asked at `sentAt` (monotonic); its clock said `serverAt`. */
  readonly onAnswer?: ((sentAt: number, serverAt: number) => void) | undefined;
}

export interface ChannelReaderOptions {
  readonly channel: Channel;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly hooks: ChannelReaderHooks;
}

/** Milliseconds between two looks at the head of a channel, which find a lost last message. */
const HEAD_CHECK_MS = 1_000;
/** Epochs whose ends are remembered. */
const MAX_EPOCHS = 16;
/** The most messages held back while recovering; past it they are let go, the recovery begins anew, and finds them again as a gap. */
const MAX_HELD = 100_000;

/**
 * The state machine (subscribe, then read, on one ordered link: the reply is a barrier behind which all earlier messages lie):
 *
 * - `idle`: not subscribed yet.
 * - `recovering`: subscribed and acknowledged; the channel's state is being read, and what arrives is held back. A new
 *   connection, a hole or a new epoch starts the recovery anew, and the result of an older one is thrown away (`#recovery`).
 * - `live`: every message is the next one of `#position`, or starts a recovery.
 * - `closed`: nothing is delivered any more.
 *
 * `#enter` is the one place that changes the mode. Channels of kind `plain` have no position: subscribed is live. A user who
 * may subscribe and not read (`#mayRead`) has positions all the same: a hole is then reported without being repaired.
 */
export class ChannelReader {
  readonly #options: ChannelReaderOptions;
  readonly #fanOut: FanOut;
  #mode: 'idle' | 'recovering' | 'live' | 'closed' = 'idle';
  #position: Position | undefined;
  #held: Envelope[] = [];
  #recovery = 0;
  /** The highest place reached in the last epochs. */
  readonly #reached = new Map<number, number>();
  /** The link is another one since the channel was last read. */
  #isNewLink = false;
  /** The epoch whose end was already reported as unknown. */
  #endedEpoch: number | undefined;
  #readsEverything = false;
  #reading: Promise<void> = Promise.resolve();
  #mayRead = true;
  #confirmedAt: number | undefined;
  #lease: FenceToken | undefined;
  #isHandingOver = false;
  #subscribing: Promise<void> | undefined;
  #unsubscribe: Unsubscribe | undefined;
  #isPlaced = false;
  readonly #whenPlaced: (() => void)[] = [];
  #cancelTimer: Unsubscribe = () => {};
  readonly #counters = { received: 0, gaps: 0, lost: 0, repaired: 0 };

  constructor(options: ChannelReaderOptions) {
    this.#options = options;
    this.#fanOut = new FanOut(options.channel, options.hooks);
  }

  get subscriptions(): ReadonlySet<Subscription> {
    return this.#fanOut.subscriptions;
  }

  get taps(): ReadonlySet<Tap> {
    return this.#fanOut.taps;
  }

  get counters() {
    const { invalid, duplicates } = this.#fanOut;
    return { ...this.#counters, invalid, duplicates };
  }

  get mode(): 'idle' | 'recovering' | 'live' | 'closed' {
    return this.#mode;
  }

  get position(): Position | undefined {
    return this.#position;
  }

  /** Whether what was last heard of a key is the newest: live, or just handing over what it has caught up with. */
  get isCurrent(): boolean {
    return this.#mode === 'live' || this.#isHandingOver;
  }

  /** When it was last asked, by the monotonic clock, whether something is missing, and nothing was; undefined: never yet. */
  get confirmedAt(): number | undefined {
    return this.#confirmedAt;
  }

  /** The token under which the lease of the channel was held at the last look at it; undefined: nobody held it. */
  get lease(): FenceToken | undefined {
    return this.#lease;
  }

  /** Looks at the head now, and not only when the next look is due. */
  look(): void {
    if (this.#mode !== 'live' || !this.#numbered || !this.#mayRead) return;
    this.#cancelTimer();
    this.#checkHead();
  }

  /** A message from bytes that `onValue` gave. */
  read(bytes: Uint8Array): Message | undefined {
    return this.#fanOut.read(bytes);
  }

  /** Adds a subscription or a tap; on a channel that is being read already, it gets the kept values first. */
  add(receiver: Subscription | Tap): void {
    this.#fanOut.add(receiver);
    if (this.#options.channel.kind === 'state') {
      // A read that is under way brings everything only if it was asked to.
      if (this.#mode === 'live' || (this.#mode === 'recovering' && !this.#readsEverything)) this.#recover();
    } else if (this.#mode === 'live') {
      receiver.joined = true;
    }
  }

  remove(receiver: Subscription | Tap): void {
    this.#fanOut.remove(receiver);
  }

  /** Resolves when the server has acknowledged the subscription; the kept values follow. Called again on every new connection. */
  async start(): Promise<void> {
    this.#subscribing ??= this.#subscribe();
    await this.#subscribing;
    if (this.#mode === 'closed') return;
    this.#mayRead = true;
    this.#isNewLink = true;
    this.#recover();
  }

  async #subscribe(): Promise<void> {
    const { channel, transport } = this.#options;
    try {
      const unsubscribe = await transport.subscribe(channel, (frame) =>
        this.#fanOut.decodeAll(frame, this.#take),
      );
      if (this.#mode === 'closed') unsubscribe();
      else this.#unsubscribe = unsubscribe;
    } catch (error) {
      this.#subscribing = undefined;
      throw error;
    }
  }

  /** The link is down: nothing is live until it is back, and what was being read will not come. */
  suspend(): void {
    if (this.#mode === 'idle' || this.#mode === 'closed') return;
    this.#recovery++;
    this.#enter('recovering');
  }

  /**
   * Resolves when the reader has its place in the channel: what is published from then on is delivered or told as lost, whatever
   * happens to the link. Also when it cannot have one, which was told then, and when it is closed.
   */
  placed(): Promise<void> {
    if (this.#isPlaced) return Promise.resolve();
    return new Promise((resolve) => this.#whenPlaced.push(resolve));
  }

  #tellPlaced(): void {
    this.#isPlaced = true;
    for (const resolve of this.#whenPlaced.splice(0)) resolve();
  }

  /** Resolves when no recovery is under way that could still succeed. */
  settled(): Promise<void> {
    return this.#reading;
  }

  /** What was received and is still held back is delivered; nothing after it. */
  stop(): void {
    if (this.#mode === 'recovering') this.#catchUpWithoutReading();
    this.#enter('closed');
    this.#unsubscribe?.();
    this.#held = [];
  }

  #enter(mode: 'recovering' | 'live' | 'closed'): void {
    this.#mode = mode;
    this.#cancelTimer();
    if (mode !== 'recovering') this.#tellPlaced();
    if (mode !== 'live' || !this.#numbered || !this.#mayRead) return;
    this.#cancelTimer = this.#options.clock.after(HEAD_CHECK_MS, () => this.#checkHead());
  }

  get #numbered(): boolean {
    return this.#options.channel.kind !== 'plain';
  }

  // --- recovering ---

  #recover(): void {
    const { channel, transport, clock, hooks } = this.#options;
    const recovery = ++this.#recovery;
    if (!this.#numbered) return this.#goLive();
    this.#enter('recovering');
    hooks.onStatus({ type: 'recovering', channel: channel.name });
    if (!this.#mayRead) return this.#catchUpWithoutReading();
    const isCurrent = () => recovery === this.#recovery && this.#mode === 'recovering';
    this.#readsEverything = channel.kind === 'state' && this.#fanOut.receivers.some(({ joined }) => !joined);
    const heldBeforeRead = this.#held.length;
    const sentAt = clock.monotonic();
    this.#reading = transport.read(channel, this.#readsEverything ? undefined : this.#position).then(
      (state) => {
        hooks.onAnswer?.(sentAt, state.at);
        if (!isCurrent()) return;
        this.#confirmedAt = sentAt;
        this.#lease = state.lease;
        this.#catchUp(state, heldBeforeRead);
      },
      (error: TickbusError) => {
        if (isCurrent()) this.#recoveryFailed(error);
      },
    );
  }

  /** A link that went down brings a new recovery with it when it is back; anything else is told and tried again. */
  #recoveryFailed(error: TickbusError): void {
    const { channel, clock, hooks } = this.#options;
    if (error.code === 'TICKBUS_NOT_CONNECTED' || error.code === 'TICKBUS_CLOSED') return;
    hooks.onStatus({ type: 'recovery_failed', channel: channel.name, error });
    this.#tellPlaced();
    if (error.code === 'TICKBUS_DENIED') {
      this.#mayRead = false;
      this.#catchUpWithoutReading();
    } else {
      this.#cancelTimer = clock.after(HEAD_CHECK_MS, () => this.#recover());
    }
  }

  /** The last message that was heard stands for the top of the channel; before any was heard, the recovery goes on. */
  #catchUpWithoutReading(): void {
    const last = this.#held.map(placeOf).findLast((place) => place !== undefined);
    if (last !== undefined) this.#catchUp({ position: last, entries: [] }, 0);
  }

  /**
   * A server may come back with an older memory: on another branch, or on a new link with a top below the position. The rest of that
   * epoch is reported as unknown once, though a new epoch follows with the next publish.
   */
  #catchUp(state: Pick<ChannelState, 'position' | 'entries' | 'isForgotten'>, heldBeforeRead: number): void {
    const { channel, hooks } = this.#options;
    const { position: top, entries } = state;
    const before = this.#position;
    const isBelow = before?.epoch === top.epoch && top.seq < before.seq;
    this.#remember(before);
    const kept = entries.map((frame) => this.#fanOut.decode(frame)).filter((entry) => entry !== undefined);
    const { gaps, repaired, messages, rest, forged } = catchUp({
      position: before,
      reached: this.#reached,
      isForgotten: state.isForgotten === true || (this.#isNewLink && isBelow),
      top,
      kept,
      held: this.#held,
      heldBeforeRead,
    });
    this.#held = [];
    this.#isNewLink = false;
    this.#position = top;
    for (const gap of gaps) {
      if (gap.cause === 'epoch') {
        if (gap.epoch === this.#endedEpoch) continue;
        this.#endedEpoch = gap.epoch;
      }
      this.#counters.gaps++;
      this.#counters.lost += gap.lost ?? 0;
      hooks.onStatus({ type: 'gap', channel: channel.name, ...gap });
    }
    this.#counters.repaired += repaired;
    const whole = gaps.every((gap) => gap.repaired);
    this.#isHandingOver = true;
    for (const message of messages) {
      this.#remember(placeOf(message.message));
      this.#deliverRecovered(message, whole);
    }
    this.#isHandingOver = false;
    this.#goLive();
    for (const message of forged) this.#fanOut.reject(FORGED, message);
    this.#acceptAll(rest);
  }

  #remember(position: Position | undefined): void {
    if (position === undefined || position.epoch === ORIGIN.epoch) return;
    const { epoch, seq } = position;
    this.#reached.set(epoch, Math.max(seq, this.#reached.get(epoch) ?? 0));
    if (this.#reached.size > MAX_EPOCHS) this.#reached.delete(Math.min(...this.#reached.keys()));
  }

  /**
   * A subscription that was there before gets what it has not had. A new one gets what was heard since its beginning, and of a
   * `state` channel the kept values, as a snapshot.
   */
  #deliverRecovered({ message, isNew, wasHeard }: CaughtUp, whole: boolean): void {
    const isState = this.#options.channel.kind === 'state';
    this.#fanOut.dispatch(message, ({ joined }) => {
      if (wasHeard) return isNew || !joined ? 'live' : 'skip';
      if (joined) return isNew ? (whole ? 'recovered' : 'snapshot') : 'skip';
      return isState ? 'snapshot' : 'skip';
    });
  }

  #goLive(): void {
    for (const receiver of this.#fanOut.receivers) receiver.joined = true;
    this.#enter('live');
    this.#options.hooks.onStatus({
      type: 'live',
      channel: this.#options.channel.name,
      numbered: this.#numbered,
    });
  }

  // --- live ---

  /**
   * By the barrier, a top above the position means that messages were lost, the last one among them; a top below the place asked
   * from, that somebody made up a number; another epoch, that the channel was begun anew or forgotten.
   */
  #checkHead(): void {
    const { channel, transport, clock, hooks } = this.#options;
    const recovery = this.#recovery;
    const asked = this.#position ?? ORIGIN;
    const sentAt = clock.monotonic();
    transport.head(channel).then(
      ({ position: top, at, lease }) => {
        hooks.onAnswer?.(sentAt, at);
        if (recovery !== this.#recovery || this.#mode !== 'live') return;
        this.#lease = lease;
        const { epoch, seq } = this.#position ?? ORIGIN;
        const isAsAsked =
          epoch !== asked.epoch || (top.epoch === epoch && top.seq >= asked.seq && top.seq <= seq);
        if (!isAsAsked) return this.#recover();
        this.#confirmedAt = sentAt;
        this.#enter('live');
      },
      () => {
        // The link tells of its own failures, and a recovery follows the next connection.
        if (recovery === this.#recovery && this.#mode === 'live') this.#enter('live');
      },
    );
  }

  readonly #take: OnMessage = (message, frame, from, to) => {
    this.#counters.received++;
    if (message !== undefined && this.#mode !== 'closed') this.#accept(message, frame, from, to);
  };

  /** One recovery for all that is ahead: each of them had arrived before its read is sent. */
  #acceptAll(messages: readonly Envelope[]): void {
    for (const [index, message] of messages.entries()) {
      if (this.#isAhead(message)) {
        this.#held = messages.slice(index);
        return this.#recover();
      }
      this.#accept(message);
    }
  }

  #isAhead(message: Envelope): boolean {
    const place = this.#numbered ? placeOf(message) : undefined;
    const relation = place && relate(this.#position ?? ORIGIN, place);
    return relation === 'ahead' || relation === 'new_epoch';
  }

  /** What is held back is held without its bytes: it is little, and they stand in a chunk of the socket that would be held with them. */
  #accept(message: Envelope, frame?: Uint8Array, from?: number, to?: number): void {
    if (this.#mode !== 'live') return this.#hold(message);
    const place = this.#numbered ? placeOf(message) : undefined;
    if (place !== undefined) {
      const relation = relate(this.#position ?? ORIGIN, place);
      // On one ordered link nothing comes twice: this number or the one before it was made up, and which cannot be known.
      if (relation === 'seen') return this.#fanOut.reject(USED, message);
      if (relation !== 'next') {
        this.#hold(message);
        return this.#recover();
      }
      this.#position = place;
    }
    this.#fanOut.dispatch(message, asLive, frame, from, to);
  }

  #hold(message: Envelope): void {
    if (this.#held.length === MAX_HELD) {
      this.#held = [];
      this.#recover();
    }
    this.#held.push(message);
    if (!this.#mayRead) this.#catchUpWithoutReading();
  }
}

const asLive = () => 'live' as const;

const USED = invalidMessage('is a number that was delivered already', 'seq');
const FORGED = invalidMessage('is a number that the server never gave', 'seq');

function placeOf({ epoch, seq }: Envelope): Position | undefined {
  return epoch === undefined || seq === undefined ? undefined : { epoch, seq };
}

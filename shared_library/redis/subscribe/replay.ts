// The beginning of one subscription with `from`, on a channel or a partition: stored messages, then live ones.

import type { Channel } from '../channel/channel.ts';
import type { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { HistoryReader } from '../transport/history-port.ts';
import type { Message } from '../wire/message.ts';
import { isBeyond, type Position, positionOf } from '../wire/position.ts';
import type { FanOut } from './fan-out.ts';
import type { StartingPoint } from './from.ts';
import type { DetectedGap } from './gap-detection.ts';
import type { InvalidMessages } from './invalid-messages.ts';
import { byPosition } from './stored-gaps.ts';
import { readStored, type StoredMessages } from './stored-messages.ts';
import type { KeyedMessage, Subscription } from './subscription.ts';

export interface ReplayOptions {
  readonly channel: Channel;
  readonly transport: HistoryReader;
  readonly clock: Clock;
  /** Delivers a stored message, through this replay if it is for this subscription. */
  readonly dispatch: FanOut['dispatch'];
  readonly onInvalid: InvalidMessages['add'];
  /** Whether every message up to the position that has arrived has been delivered, or can never be. */
  readonly hasReached: (position: Position) => boolean;
  readonly onGap: (gap: DetectedGap) => void;
  readonly onFailed: (error: TickbusError) => void;
  /** The subscription gets its messages directly from now on. */
  readonly onEnd: () => void;
}

/** Milliseconds between a read that failed, or was too early, and the next one. */
const RETRY_MS = 1_000;
/** The maximum number of messages that wait for the end of the read. */
const MAX_HELD = 100_000;

/**
 * States:
 *
 * - `waiting`: for the channel to be live. Messages that arrive are held, here and below.
 * - `reading`: the history is being read.
 * - `ended`: the stored and the held messages have been passed on, in order of position.
 *
 * The read is sent after the channel has been subscribed to, on the same ordered link. So all messages up to the head
 * that the read begins with have arrived before its reply. The messages above it are held. If the reader of the channel
 * has not delivered all messages up to that head, it misses some: the read is repeated when it is live again.
 *
 *     waiting -> reading -> ended;   reading -> waiting (lost link, missed messages, retry);   any -> ended
 */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #subscription: Subscription;
  readonly #start: StartingPoint;
  readonly #keys: readonly string[] | undefined;
  #state: 'waiting' | 'reading' | 'ended' = 'waiting';
  #held: KeyedMessage[] = [];
  #overflow:
    | { epoch: number | undefined; from: number | undefined; to: number | undefined; lost: number }
    | undefined;
  /** The stored messages, while they are dispatched. */
  #stored: KeyedMessage[] | undefined;
  /** True if the channel has become live since the read was sent. */
  #isLiveAgain = false;
  #cancelTimer: Unsubscribe = () => {};
  #setSettled: () => void = () => {};

  /** Resolves at the end, and after a failed read. */
  readonly settled: Promise<void> = new Promise((resolve) => {
    this.#setSettled = resolve;
  });
  #reading: Promise<void> = Promise.resolve();

  /** @param keys the keys of the subscription that are in this channel or partition; undefined: all */
  constructor(
    options: ReplayOptions,
    subscription: Subscription,
    start: StartingPoint,
    keys: readonly string[] | undefined,
  ) {
    this.#options = options;
    this.#subscription = subscription;
    this.#start = start;
    this.#keys = keys;
  }

  /** Resolves when the read in flight has been answered. */
  get reading(): Promise<void> {
    return this.#reading;
  }

  /** Takes a message for the subscription. */
  deliver(message: Message, key: string | undefined): void {
    if (this.#stored !== undefined) {
      this.#stored.push({ message, key });
      return;
    }
    this.#held.push({ message, key });
    if (this.#held.length > MAX_HELD) this.#drop(this.#held.shift()?.message);
  }

  /** Called when the channel is live. */
  begin(): void {
    this.#isLiveAgain = this.#state === 'reading';
    if (this.#state !== 'waiting') return;
    this.#state = 'reading';
    this.#cancelTimer();
    this.#reading = this.#read();
  }

  /** The channel could not be read. Nobody waits for the end any more. */
  settle(): void {
    this.#setSettled();
  }

  /** Delivers what is held, and nothing that is stored. */
  end(): void {
    this.#finish([], this.#held);
  }

  /** The subscription was removed. */
  cancel(): void {
    this.#held = [];
    this.end();
  }

  async #read(): Promise<void> {
    const { transport, channel } = this.#options;
    try {
      const stored = await readStored(transport, channel, this.#start, this.#keys);
      if (this.#hasEnded()) return;
      if (stored === undefined) this.end();
      else if (this.#options.hasReached(stored.head)) this.#deliverStored(stored);
      else this.#repeat();
    } catch (error) {
      if (!this.#hasEnded()) this.#fail(error as TickbusError);
    }
  }

  #hasEnded(): boolean {
    return this.#state === 'ended';
  }

  /** After a lost link, the next one reads. A rejection that a retry cannot change is final. */
  #fail(error: TickbusError): void {
    const { code } = error;
    if (code === 'TICKBUS_NOT_CONNECTED') return this.#repeat();
    if (code === 'TICKBUS_CLOSED') return this.end();
    this.#options.onFailed(error);
    this.settle();
    if (this.#hasEnded()) return;
    if (code !== 'TICKBUS_DENIED' && code !== 'TICKBUS_LIMIT_EXCEEDED' && code !== 'TICKBUS_INVALID_OPTION')
      return this.#retry();
    const { position, positions } = this.#start;
    for (const { epoch, seq } of position === undefined ? (positions?.values() ?? []) : [position])
      this.#options.onGap({
        cause: 'loss',
        epoch,
        from: seq + 1,
        to: undefined,
        lost: undefined,
        repaired: false,
      });
    this.end();
  }

  /** Reads again once the channel is live, which it may be already. */
  #repeat(): void {
    this.#retry();
    if (this.#isLiveAgain) this.begin();
  }

  #retry(): void {
    const { clock } = this.#options;
    this.#state = 'waiting';
    this.#cancelTimer();
    this.#cancelTimer = clock.after(RETRY_MS, () => this.begin());
  }

  #deliverStored({ head, messages, gaps }: StoredMessages): void {
    const { dispatch, onGap, onInvalid } = this.#options;
    const isEarly = ({ message }: KeyedMessage) => {
      const position = positionOf(message);
      return position !== undefined && !isBeyond(position, head);
    };
    const early = this.#held.filter(isEarly);
    const late = this.#held.filter((held) => !isEarly(held));
    const live = new Set(early.map(({ message }) => nameOf(message)));
    for (const gap of gaps(early.flatMap(({ message }) => positionOf(message) ?? []))) onGap(gap);
    this.#stored = [];
    for (const { position, frame, message, error } of messages) {
      if (message === undefined) onInvalid(error, frame);
      else if (!live.has(nameOf(position)))
        dispatch(message, (receiver) => (receiver === this.#subscription ? 'snapshot' : 'skip'));
    }
    const isWanted = ({ message, key }: KeyedMessage) => this.#isAfterStart(positionOf(message), key);
    const ordered = [...this.#stored, ...early].filter(isWanted).sort(byMessage);
    this.#stored = undefined;
    this.#finish(ordered, late);
  }

  #isAfterStart(position: Position | undefined, key: string | undefined): boolean {
    const after = this.#start.position ?? (key === undefined ? undefined : this.#start.positions?.get(key));
    return after === undefined || position === undefined || isBeyond(position, after);
  }

  #finish(stored: readonly KeyedMessage[], live: readonly KeyedMessage[]): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#cancelTimer();
    this.#held = [];
    this.#options.onEnd();
    if (this.#overflow !== undefined)
      this.#options.onGap({ cause: 'overflow', ...this.#overflow, repaired: false });
    this.#subscription.beginWith([...stored, ...live]);
    this.#setSettled();
  }

  #drop(message: Message | undefined): void {
    const { epoch, seq } = message ?? {};
    const { from = seq, lost } = this.#overflow ?? { lost: 0 };
    this.#overflow = { epoch, from, to: seq, lost: lost + 1 };
  }
}

function nameOf({ epoch, seq }: Partial<Position>): string {
  return `${epoch}-${seq}`;
}

function byMessage(a: KeyedMessage, b: KeyedMessage): number {
  return byPosition(a.message as Position, b.message as Position);
}

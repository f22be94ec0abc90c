// The receive path of one channel: decoder -> sequencer -> fan-out -> the queue of each subscription -> handler.

import type { Channel } from '../channel/channel.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { FenceToken, Transport } from '../transport/port.ts';
import type { Envelope } from '../wire/envelope.ts';
import type { Message } from '../wire/message.ts';
import { validMessage } from '../wire/payload-schema.ts';
import { isBeyond, type Position } from '../wire/position.ts';
import { AdoptedValues } from './adopted-values.ts';
import { Decoder } from './decoder.ts';
import { FanOut } from './fan-out.ts';
import { InvalidMessages, type OnInvalidFrame } from './invalid-messages.ts';
import { Replays } from './replays.ts';
import { Sequencer } from './sequencer.ts';
import type { StateQueriesOptions } from './state-queries.ts';
import type { ChannelStatus } from './status.ts';
import { Subscription } from './subscription.ts';
import type { Tap } from './tap.ts';
import type { ComparedValues } from './value-check.ts';

interface ChannelReaderHooks {
  readonly onStatus: (status: ChannelStatus) => void;
  readonly onInvalid: OnInvalidFrame;
  /**
   * Called with the newest message of a key before any handler runs; undefined if that message is invalid. `bytes` is
   * the encoded message, if available. It is valid until the hook returns; `read` decodes a copy of it.
   */
  readonly onValue?: ((key: string, message: Message | undefined, bytes?: Uint8Array) => void) | undefined;
  /** Called if a last value of a `state` channel may be forged: forget all last values. The real ones follow. */
  readonly onDistrust?: (() => void) | undefined;
  /** The latest values of the subscriptions, as `onValue` set them. */
  readonly values?: ComparedValues | undefined;
  readonly onAnswer?: StateQueriesOptions['onAnswer'];
  /**
   * Asked before the messages of a recovery are delivered, with the recorded number of partitions. False: all messages
   * are held, and the recovery is repeated when `recover` is called, at the latest after a second.
   */
  readonly mayDeliver?: ((partitions: number | undefined) => boolean) | undefined;
  /** The number of partitions that the server has recorded, in an answer after which nothing is missing. */
  readonly onPartitions?: ((partitions: number | undefined) => void) | undefined;
  /** Called with each message of a plain client as it arrives, before it is delivered or held. */
  readonly onPlain?: ((message: Envelope) => void) | undefined;
}

export interface ChannelReaderOptions {
  readonly channel: Channel;
  readonly transport: Transport;
  readonly clock: Clock;
  /** The position from which the channel is read; undefined: from the first message after the start. */
  readonly since?: Position | undefined;
  /** Shared by all parts of a channel. Default: one of its own. */
  readonly adopted?: AdoptedValues | undefined;
  readonly hooks: ChannelReaderHooks;
}

/** Reads one channel for all subscriptions and taps of one subscriber. */
export class ChannelReader {
  readonly #options: ChannelReaderOptions;
  readonly #decoder: Decoder;
  readonly #sequencer: Sequencer;
  readonly #fanOut: FanOut;
  readonly #invalid: InvalidMessages;
  readonly #replays: Replays;
  readonly #adopted: AdoptedValues;
  #subscribing: Promise<void> | undefined;
  #unsubscribe: Unsubscribe | undefined;

  constructor(options: ChannelReaderOptions) {
    this.#options = options;
    const { channel, hooks } = options;
    const { onValue, onStatus, onAnswer, mayDeliver, onPartitions, onDistrust, values } = hooks;
    this.#invalid = new InvalidMessages(hooks.onInvalid);
    const onInvalid = (error: unknown, message: Uint8Array | Envelope) => this.#invalid.add(error, message);
    this.#decoder = new Decoder(onInvalid);
    this.#fanOut = new FanOut(channel, {
      onInvalid,
      onValue:
        onValue && ((key, message) => onValue(key, message, message && this.#decoder.bytesOf(message))),
    });
    const fanOut = this.#fanOut;
    this.#adopted = options.adopted ?? new AdoptedValues(channel);
    this.#sequencer = new Sequencer({
      ...options,
      fanOut,
      adopted: this.#adopted,
      onStatus: (status) => {
        onStatus(status);
        this.#replays.follow(status);
      },
      onAnswer,
      mayDeliver,
      onPartitions,
      onInvalid,
      onDistrust,
      values,
    });
    this.#replays = new Replays({
      ...options,
      fanOut,
      onStatus,
      onInvalid,
      hasReached: (position) => this.#hasReached(position),
    });
  }

  get subscriptions(): ReadonlySet<Subscription> {
    return this.#fanOut.subscriptions;
  }

  get taps(): ReadonlySet<Tap> {
    return this.#fanOut.taps;
  }

  get counters() {
    const { received } = this.#decoder;
    const { duplicates } = this.#fanOut;
    const { gaps, lost, ...own } = this.#sequencer.counters;
    const { gaps: startGaps, lost: startLost } = this.#replays.counters;
    const counters = { received, ...own, gaps: gaps + startGaps, lost: lost + startLost };
    return { ...counters, invalid: this.#invalid.total, duplicates };
  }

  get mode(): Sequencer['mode'] {
    return this.#sequencer.mode;
  }

  get position(): Position | undefined {
    return this.#sequencer.position;
  }

  /**
   * True in mode `live`, and while recovered messages are delivered. The last received message of a key is then the
   * newest one published.
   */
  get isUpToDate(): boolean {
    return this.#sequencer.isUpToDate;
  }

  /** The monotonic time at which the last query that found no loss was sent; undefined before the first. */
  get confirmedAt(): number | undefined {
    return this.#sequencer.queries.confirmedAt;
  }

  /** The token of the channel's lease at the last answer of the server; undefined if nobody held it. */
  get lease(): FenceToken | undefined {
    return this.#sequencer.queries.lease;
  }

  /** See `Sequencer.placed`. Also waits for the stored messages with which subscriptions begin. */
  get placed(): Promise<unknown> {
    return this.#sequencer.placed.then(() => this.#replays.placed);
  }

  /** Resolves when no read that can still succeed is in flight. */
  get settled(): Promise<unknown> {
    return this.#sequencer.queries.settled.then(() => this.#replays.settled);
  }

  /** Checks the head (the newest position on the server) now instead of at the next interval. */
  checkHead(): void {
    this.#sequencer.checkHead();
  }

  /** Repeats the recovery after `mayDeliver` has returned false. */
  recover(): void {
    this.#sequencer.recover();
  }

  /** Decodes a copy of the bytes that `onValue` got; undefined if the schema rejects the payload now. */
  read(bytes: Uint8Array): Message | undefined {
    try {
      return validMessage(this.#options.channel, this.#decoder.read(bytes));
    } catch {
      return undefined;
    }
  }

  /**
   * Adds a subscription or a tap. On a `state` channel it first gets the last values. On other channels it gets what is
   * published from now on, or from `since` on if it is added before the start.
   *
   * @param isNew whether a subscription with `from` still has to get its stored messages
   */
  add(receiver: Subscription | Tap, isNew = true): void {
    const { channel, since } = this.#options;
    this.#fanOut.add(receiver);
    this.#adopted.add(receiver);
    if (isNew && receiver instanceof Subscription) this.#replays.add(receiver);
    if (channel.kind === 'state') this.#sequencer.snapshot();
    else if (this.mode === 'live' || (since !== undefined && this.mode === 'idle'))
      this.#fanOut.join([receiver]);
    if (this.mode === 'live') this.#replays.follow({ type: 'live', channel: channel.name, numbered: true });
  }

  remove(receiver: Subscription | Tap): void {
    if (receiver instanceof Subscription) this.#replays.remove(receiver);
    this.#fanOut.remove(receiver);
  }

  /**
   * Resolves when the server has acknowledged the subscription. The messages that the server keeps are read after that.
   * Called again on each new connection.
   */
  async start(): Promise<void> {
    this.#subscribing ??= this.#subscribe();
    await this.#subscribing;
    if (this.mode !== 'closed') this.#sequencer.start();
  }

  /** Called when the link is down. */
  suspend(): void {
    this.#sequencer.suspend();
  }

  /** Delivers the received messages that are still held. After that, nothing is delivered. */
  stop(): void {
    this.#sequencer.close();
    this.#replays.end();
    this.#unsubscribe?.();
  }

  /** A live reader that has not reached a position of the server misses messages: the head check finds them. */
  #hasReached(position: Position): boolean {
    if (this.mode !== 'live') return false;
    const hasReached = !isBeyond(position, this.position ?? position);
    if (!hasReached) this.#sequencer.checkHead();
    return hasReached;
  }

  #hearPlain(message: Envelope): void {
    const { channel, hooks } = this.#options;
    if (!channel.adopt) return;
    this.#adopted.hear(message);
    hooks.onPlain?.(message);
  }

  async #subscribe(): Promise<void> {
    const { channel, transport } = this.#options;
    const accept = (message: Envelope) => {
      if (message.seq === undefined) this.#hearPlain(message);
      this.#sequencer.accept(message);
    };
    try {
      const unsubscribe = await transport.subscribe(channel, (frame) => {
        this.#decoder.decode(frame, accept);
        if (this.#invalid.isPending) this.#invalid.flush();
      });
      if (this.mode === 'closed') unsubscribe();
      else this.#unsubscribe = unsubscribe;
    } catch (error) {
      this.#subscribing = undefined;
      throw error;
    }
  }
}

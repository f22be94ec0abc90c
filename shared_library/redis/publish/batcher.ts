// Turns single publishes of one channel into batches: what arrives while no more calls can be made goes into the next one.

import type { ChannelSpec } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Fence, FenceToken, Outgoing, Receipt, Transport, Writer } from '../transport/port.ts';
import { ORIGIN, type Position } from '../wire/position.ts';
import { Batch, type Published } from './batch.ts';

export interface BatcherOptions {
  readonly channel: ChannelSpec;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Messages added while it is not held, and messages that wait when it is lost, are refused. */
  readonly lease?: Fence | undefined;
  /** Milliseconds from `add` after which what is under way is given up as unknown, and what waits as not sent. */
  readonly deadlineMs: number;
  /** The most UTF-16 units that may wait. */
  readonly maxPending: number;
}

/**
 * Two writers:
 *
 * - shared: the transport publishes, one call under way.
 * - exclusive: while the lease is held, its `writer` publishes, as many batches as it has room for. It gives back what was not
 *   executed when its link dropped, which then goes first, in its order. While its link is down, messages wait.
 *
 * A batch under way that is past its deadline leaves the batcher stalled: nothing is accepted until it is settled, so that nothing is
 * queued behind a dead link.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  readonly #underWay = new Set<Batch>();
  /** In the order in which they are sent; the last one may have room. */
  #waiting: Batch[] = [];
  #waitingSize = 0;
  #batches = 0;
  #willSend = false;
  /** The position that the channel is known to have reached. */
  #seen: Position = ORIGIN;
  #writer: Writer | undefined;
  #forgetWriter: Unsubscribe = () => {};
  readonly #onSettled: (() => void)[] = [];

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** The token under which a message is published that is accepted now. */
  get fence(): FenceToken | undefined {
    return this.#options.lease?.token;
  }

  /** Whether an exclusive writer publishes, over its own link. */
  get hasWriter(): boolean {
    return this.#writer !== undefined || this.#options.lease?.writer !== undefined;
  }

  /** The epoch that the channel is known to have reached; undefined before anything was published. */
  get epoch(): number | undefined {
    return this.#seen.epoch === ORIGIN.epoch ? undefined : this.#seen.epoch;
  }

  /** A message that was accepted under a token which may have been lost since. */
  addLater(message: Outgoing, fence: FenceToken | undefined): Promise<Published> {
    return fence === this.fence ? this.add(message) : Promise.reject(this.#fenced());
  }

  add(message: Outgoing): Promise<Published> {
    // Read once: it looks at the clock.
    const { fence } = this;
    if (fence === undefined && this.#options.lease !== undefined) return Promise.reject(this.#fenced());
    if (this.#isStalled) return Promise.reject(this.#notSent());
    if (this.#waitingSize + message.json.length > this.#options.maxPending)
      return Promise.reject(this.#full());
    const published = this.#batchFor(message, fence).add(message);
    this.#waitingSize += message.json.length;
    this.#sendSoon();
    return published;
  }

  /** Resolves when the outcome of everything that was added is known, or given up. */
  settled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => this.#onSettled.push(resolve));
  }

  get #isStalled(): boolean {
    for (const { isGivenUp } of this.#underWay) if (isGivenUp) return true;
    return false;
  }

  get #isSettled(): boolean {
    if (this.#waiting.length > 0) return false;
    for (const { isGivenUp } of this.#underWay) if (!isGivenUp) return false;
    return true;
  }

  #tellSettled(): void {
    if (this.#isSettled) for (const resolve of this.#onSettled.splice(0)) resolve();
  }

  /** At the end of this turn's microtasks: what is published meanwhile goes along. */
  readonly #sendSoon = (): void => {
    if (this.#willSend) return;
    this.#willSend = true;
    queueMicrotask(this.#send);
  };

  readonly #send = (): void => {
    this.#willSend = false;
    this.#followWriter();
    this.#refuseFenced();
    while (this.#room > 0) {
      const batch = this.#waiting.shift();
      if (batch === undefined) break;
      this.#waitingSize -= batch.size;
      this.#call(batch);
    }
    this.#tellSettled();
  };

  /** A lease that is gained anew brings a writer of its own. */
  #followWriter(): void {
    const writer = this.#options.lease?.writer;
    if (writer === this.#writer) return;
    this.#forgetWriter();
    this.#writer = writer;
    this.#forgetWriter = writer?.onRoom(this.#sendSoon) ?? (() => {});
  }

  get #room(): number {
    return this.#writer === undefined ? 1 - this.#underWay.size : this.#writer.room;
  }

  #call(batch: Batch): void {
    const { channel, transport, lease } = this.#options;
    this.#underWay.add(batch);
    const called: Promise<Receipt | undefined> =
      this.#writer === undefined
        ? transport.publish(channel, batch.messages, batch.fence, this.#seen)
        : this.#writer.publish(batch.messages);
    called
      .then(
        (receipt) => {
          this.#underWay.delete(batch);
          if (receipt === undefined) return this.#putBack(batch);
          this.#reached(receipt, batch);
          batch.resolve(receipt);
        },
        (error: unknown) => {
          this.#underWay.delete(batch);
          batch.reject(error);
          if (error instanceof TickbusError && error.code === 'TICKBUS_FENCED') lease?.confirm();
        },
      )
      .finally(this.#send);
  }

  #reached({ first, repeated }: Receipt, { messages }: Batch): void {
    const count = messages.length - (repeated?.size ?? 0);
    if (first === undefined || count === 0) return;
    this.#seen = { epoch: first.epoch, seq: first.seq + count - 1 };
  }

  /** Nothing of it was executed. It goes before whatever was added later. */
  #putBack(batch: Batch): void {
    batch.wasSent = true;
    if (batch.isGivenUp) return;
    if (this.#isStalled) return batch.reject(this.#notSent());
    const behind = this.#waiting.findIndex(({ number }) => number > batch.number);
    this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, batch);
    this.#waitingSize += batch.size;
  }

  #isHeld(fence: FenceToken | undefined): boolean {
    const { lease } = this.#options;
    return lease === undefined || (fence !== undefined && fence === lease.token);
  }

  /** What was accepted under a lease that has been lost since. */
  #refuseFenced(): void {
    if (this.#waiting.every(({ fence }) => this.#isHeld(fence))) return;
    const refused = this.#waiting.filter(({ fence }) => !this.#isHeld(fence));
    this.#waiting = this.#waiting.filter(({ fence }) => this.#isHeld(fence));
    for (const batch of refused) {
      this.#waitingSize -= batch.size;
      batch.reject(this.#fenced());
    }
  }

  /** The last one that waits, if it has room for the message, was begun under the same lease and has not been sent before; else a new one. */
  #batchFor(message: Outgoing, fence: FenceToken | undefined): Batch {
    const last = this.#waiting.at(-1);
    if (last !== undefined && !last.wasSent && last.fence === fence && last.hasRoomFor(message)) return last;
    const { clock, deadlineMs } = this.#options;
    const batch = new Batch(this.#batches++, fence, (made) =>
      clock.after(deadlineMs, () => this.#giveUp(made)),
    );
    this.#waiting.push(batch);
    return batch;
  }

  /** A batch is past its deadline. */
  #giveUp(batch: Batch): void {
    const place = this.#waiting.indexOf(batch);
    if (place >= 0) {
      this.#waiting.splice(place, 1);
      this.#waitingSize -= batch.size;
      batch.reject(this.#notSent());
    } else {
      batch.isGivenUp = true;
      batch.reject(this.#unknown());
      for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#notSent());
      this.#waitingSize = 0;
    }
    this.#tellSettled();
  }

  #unknown(): TickbusError {
    const { channel, deadlineMs } = this.#options;
    const text = `No reply to a publish on ${channel.name} came within ${deadlineMs} ms: whether it was published is unknown.`;
    return new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
  }

  #notSent(): TickbusError {
    const { channel, deadlineMs } = this.#options;
    const text = `Nothing was sent on ${channel.name}: for ${deadlineMs} ms the server has not answered, or the link was down. Try again later.`;
    return new TickbusError('TICKBUS_NOT_SENT', text);
  }

  #fenced(): TickbusError {
    const text = `Nothing was published on ${this.#options.channel.name}: its lease is not held, or was lost while the message waited.`;
    return new TickbusError('TICKBUS_FENCED', text);
  }

  #full(): TickbusError {
    const { channel, maxPending } = this.#options;
    const text = `Nothing was sent on ${channel.name}: ${maxPending} bytes are waiting already. Publish more slowly, or raise maxPendingBytes.`;
    return new TickbusError('TICKBUS_BACKLOG_FULL', text);
  }
}

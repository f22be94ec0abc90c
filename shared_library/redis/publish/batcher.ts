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
  readonly #inFlight = new Set<Batch>();
  /** In the order in which they are sent; the last one may have room. */
  #queue: Batch[] = [];
  #queuedSize = 0;
  #batchCount = 0;
  #isSendScheduled = false;
  /** The position that the channel is known to have reached. */
  #knownPosition: Position = ORIGIN;
  #writer: Writer | undefined;
  #unwatchWriter: Unsubscribe = () => {};
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
    return this.#knownPosition.epoch === ORIGIN.epoch ? undefined : this.#knownPosition.epoch;
  }

  /** A message that was accepted under a token which may have been lost since. */
  addAccepted(message: Outgoing, fence: FenceToken | undefined): Promise<Published> {
    return fence === this.fence ? this.add(message) : Promise.reject(this.#fencedError());
  }

  add(message: Outgoing): Promise<Published> {
    // Read once: it looks at the clock.
    const { fence } = this;
    if (fence === undefined && this.#options.lease !== undefined) return Promise.reject(this.#fencedError());
    if (this.#isStalled) return Promise.reject(this.#notSentError());
    if (this.#queuedSize + message.json.length > this.#options.maxPending)
      return Promise.reject(this.#backlogFullError());
    const published = this.#batchFor(message, fence).add(message);
    this.#queuedSize += message.json.length;
    this.#scheduleSend();
    return published;
  }

  /** Resolves when the outcome of everything that was added is known, or given up. */
  settled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => this.#onSettled.push(resolve));
  }

  get #isStalled(): boolean {
    for (const { isTimedOut } of this.#inFlight) if (isTimedOut) return true;
    return false;
  }

  get #isSettled(): boolean {
    if (this.#queue.length > 0) return false;
    for (const { isTimedOut } of this.#inFlight) if (!isTimedOut) return false;
    return true;
  }

  #notifySettled(): void {
    if (this.#isSettled) for (const resolve of this.#onSettled.splice(0)) resolve();
  }

  /** At the end of this turn's microtasks: what is published meanwhile goes along. */
  readonly #scheduleSend = (): void => {
    if (this.#isSendScheduled) return;
    this.#isSendScheduled = true;
    queueMicrotask(this.#send);
  };

  readonly #send = (): void => {
    this.#isSendScheduled = false;
    this.#updateWriter();
    this.#rejectFenced();
    while (this.#room > 0) {
      const batch = this.#queue.shift();
      if (batch === undefined) break;
      this.#queuedSize -= batch.size;
      this.#call(batch);
    }
    this.#notifySettled();
  };

  /** A lease that is gained anew brings a writer of its own. */
  #updateWriter(): void {
    const writer = this.#options.lease?.writer;
    if (writer === this.#writer) return;
    this.#unwatchWriter();
    this.#writer = writer;
    this.#unwatchWriter = writer?.onRoom(this.#scheduleSend) ?? (() => {});
  }

  get #room(): number {
    return this.#writer === undefined ? 1 - this.#inFlight.size : this.#writer.room;
  }

  #call(batch: Batch): void {
    const { channel, transport, lease } = this.#options;
    this.#inFlight.add(batch);
    const called: Promise<Receipt | undefined> =
      this.#writer === undefined
        ? transport.publish(channel, batch.messages, batch.fence, this.#knownPosition)
        : this.#writer.publish(batch.messages);
    called
      .then(
        (receipt) => {
          this.#inFlight.delete(batch);
          if (receipt === undefined) return this.#requeue(batch);
          this.#advance(receipt, batch);
          batch.resolve(receipt);
        },
        (error: unknown) => {
          this.#inFlight.delete(batch);
          batch.reject(error);
          if (error instanceof TickbusError && error.code === 'TICKBUS_FENCED') lease?.confirm();
        },
      )
      .finally(this.#send);
  }

  #advance({ first, repeated }: Receipt, { messages }: Batch): void {
    const count = messages.length - (repeated?.size ?? 0);
    if (first === undefined || count === 0) return;
    this.#knownPosition = { epoch: first.epoch, seq: first.seq + count - 1 };
  }

  /** Nothing of it was executed. It goes before whatever was added later. */
  #requeue(batch: Batch): void {
    batch.wasSent = true;
    if (batch.isTimedOut) return;
    if (this.#isStalled) return batch.reject(this.#notSentError());
    const behind = this.#queue.findIndex(({ number }) => number > batch.number);
    this.#queue.splice(behind < 0 ? this.#queue.length : behind, 0, batch);
    this.#queuedSize += batch.size;
  }

  #isCurrentFence(fence: FenceToken | undefined): boolean {
    const { lease } = this.#options;
    return lease === undefined || (fence !== undefined && fence === lease.token);
  }

  /** What was accepted under a lease that has been lost since. */
  #rejectFenced(): void {
    if (this.#queue.every(({ fence }) => this.#isCurrentFence(fence))) return;
    const refused = this.#queue.filter(({ fence }) => !this.#isCurrentFence(fence));
    this.#queue = this.#queue.filter(({ fence }) => this.#isCurrentFence(fence));
    for (const batch of refused) {
      this.#queuedSize -= batch.size;
      batch.reject(this.#fencedError());
    }
  }

  /** The last one that waits, if it has room for the message, was begun under the same lease and has not been sent before; else a new one. */
  #batchFor(message: Outgoing, fence: FenceToken | undefined): Batch {
    const last = this.#queue.at(-1);
    if (last !== undefined && !last.wasSent && last.fence === fence && last.hasRoomFor(message)) return last;
    const { clock, deadlineMs } = this.#options;
    const batch = new Batch(this.#batchCount++, fence, (made) =>
      clock.after(deadlineMs, () => this.#onDeadline(made)),
    );
    this.#queue.push(batch);
    return batch;
  }

  /** A batch is past its deadline. */
  #onDeadline(batch: Batch): void {
    const place = this.#queue.indexOf(batch);
    if (place >= 0) {
      this.#queue.splice(place, 1);
      this.#queuedSize -= batch.size;
      batch.reject(this.#notSentError());
    } else {
      batch.isTimedOut = true;
      batch.reject(this.#unknownError());
      for (const waiting of this.#queue.splice(0)) waiting.reject(this.#notSentError());
      this.#queuedSize = 0;
    }
    this.#notifySettled();
  }

  #unknownError(): TickbusError {
    const { channel, deadlineMs } = this.#options;
    const text = `No reply to a publish on ${channel.name} came within ${deadlineMs} ms: whether it was published is unknown.`;
    return new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
  }

  #notSentError(): TickbusError {
    const { channel, deadlineMs } = this.#options;
    const text = `Nothing was sent on ${channel.name}: for ${deadlineMs} ms the server has not answered, or the link was down. Try again later.`;
    return new TickbusError('TICKBUS_NOT_SENT', text);
  }

  #fencedError(): TickbusError {
    const text = `Nothing was published on ${this.#options.channel.name}: its lease is not held, or was lost while the message waited.`;
    return new TickbusError('TICKBUS_FENCED', text);
  }

  #backlogFullError(): TickbusError {
    const { channel, maxPending } = this.#options;
    const text = `Nothing was sent on ${channel.name}: ${maxPending} bytes are waiting already. Publish more slowly, or raise maxPendingBytes.`;
    return new TickbusError('TICKBUS_BACKLOG_FULL', text);
  }
}

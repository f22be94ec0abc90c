// The exclusive writer of a channel: numbers and timestamps messages, and resolves their outcomes even if its link
// drops.

import type { ChannelSpec } from '../../../channel/channel.ts';
import { PartitionsChangedError } from '../../../channel/partitions.ts';
import type { TickbusError } from '../../../errors.ts';
import type { Unsubscribe } from '../../../runtime/emitter.ts';
import { Emitter } from '../../../runtime/emitter.ts';
import type { Outgoing, Receipt, Writer } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import { channelKeys } from '../keys.ts';
import type { HeadSnapshot, PastEpoch } from './head-snapshot.ts';
import { type BatchOutcome, type BatchPosition, executeBatch, lastSeq, MARK_COUNT } from './plain-batch.ts';
import { StampClock } from './stamp-clock.ts';

/** Maximum number of batches in flight. With one, a publisher waits for every round trip. Must be below MARK_COUNT. */
const MAX_IN_FLIGHT = 4;

/**
 * A batch that was next to be executed in this many consecutive link drops is not sent again, because it may cause the
 * drops. With a limit of two, a link that is cut every 50 ms loses messages on a busy machine.
 */
const MAX_DROPS = 3;

export interface ExclusiveWriterOptions {
  readonly channel: ChannelSpec;
  /** See `LinkSettings.isSharded`. */
  readonly isSharded: boolean;
  /** The state of the connection is unknown or wrong, so the link must reconnect. */
  readonly onUntrusted: (client: RedisClient, error: unknown) => void;
  /** The server rejected a whole batch. */
  readonly onRefusal: (client: RedisClient, error: unknown) => void;
  /** The error of a batch that was rejected: nothing of it was published. */
  readonly refusedError: (error: unknown) => TickbusError;
  /** The error of a batch that may have been published. */
  readonly unknownError: (reason: string) => TickbusError;
  /** The error of a batch that was never executed, and is not sent again. */
  readonly notSentError: (reason: string) => TickbusError;
}

const DROPS_LINKS =
  `the link dropped ${MAX_DROPS} times when this batch was the next to be executed, so it is not sent again. ` +
  'Publish smaller messages, or raise client-query-buffer-limit';

interface InFlightBatch extends BatchPosition {
  readonly batch: readonly Outgoing[];
  readonly resolve: (receipt: Receipt | undefined) => void;
  readonly reject: (error: TickbusError) => void;
  /**
   * Set if this batch was not executed. `fenced`: the fence stopped it or an earlier one. `elsewhere`: its node does
   * not serve the channel now, so it can be sent again. `overtaken`: as `elsewhere`, but a later batch was published.
   */
  unexecuted?: 'fenced' | 'elsewhere' | 'overtaken';
}

/**
 * States:
 *
 * - attached (`#client` is set): batches are sent at once, up to four in flight.
 * - detached (`#client` is not set): the link is down. Batches in flight wait for `resumed` or `deposed`; no batch is
 *   accepted.
 * - ended (`#isEnded`): the lease is over. No batch is accepted. A reply, `resumed` or `deposed` still settles the
 *   batches in flight.
 *
 *     attached <-> detached;   any -> ended
 *
 * Invariant: a batch settles once. The reply of its connection settles it. If that connection is dead, the channel's
 * head settles it, or the head's record of past epochs.
 *
 * If the server refuses a whole batch, no new batch is sent until none is in flight. The next batch then reuses the
 * refused numbers, unless a later batch was published. In that case they are a gap, which subscribers report.
 */
export class ExclusiveWriter implements Writer {
  readonly #options: ExclusiveWriterOptions;
  #clock = new StampClock();
  readonly #events = new Emitter<{ room: undefined }>(() => {});
  #client: RedisClient | undefined;
  #epoch: number;
  /** The highest assigned sequence number. */
  #seq = 0;
  /** The highest sequence number that is known to be published. */
  #published = 0;
  #ordinal = 0;
  #inFlight: InFlightBatch[] = [];
  /** The batch that was next when the link dropped, and the number of consecutive drops. */
  #suspect: { readonly batch: readonly Outgoing[]; readonly drops: number } | undefined;
  /** The recorded number of partitions, as of the last head. */
  #partitions: number | undefined;
  /** The number of batches that are being refused. Later batches wait, because one of them may be sent again. */
  #refusing = 0;
  #isDraining = false;
  #isEnded = false;

  constructor(options: ExclusiveWriterOptions, head: HeadSnapshot) {
    this.#options = options;
    this.#epoch = head.epoch;
    this.#partitions = head.partitions;
    this.#clock.observe(head.serverAt, performance.now());
  }

  get epoch(): number {
    return this.#epoch;
  }

  get published(): number {
    return this.#published;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get room(): number {
    if (this.#client === undefined || this.#isEnded || this.#isDraining || this.#refusing > 0) return 0;
    return MAX_IN_FLIGHT - this.#inFlight.length;
  }

  onRoom(listener: () => void): Unsubscribe {
    return this.#events.on('room', listener);
  }

  publish(batch: readonly Outgoing[]): Promise<Receipt | undefined> {
    const client = this.#client;
    if (client === undefined || this.#isEnded) return Promise.resolve(undefined);
    if (this.#hasOtherPartitions) return this.#refuse(client);
    const first = { epoch: this.#epoch, seq: this.#seq + 1 };
    const at = this.#clock.at(performance.now());
    this.#seq += batch.length;
    return new Promise((resolve, reject) => {
      const sent: InFlightBatch = { batch, first, at, ordinal: this.#ordinal++, resolve, reject };
      this.#inFlight.push(sent);
      const { channel, isSharded, onUntrusted } = this.#options;
      const options = { isSharded, onUnguarded: (error: unknown) => onUntrusted(client, error) };
      void executeBatch(client, channel, batch, sent, options).then((outcome) =>
        this.#onReply(client, sent, outcome),
      );
    });
  }

  /** Starts sending on a connection. All other writers are known to be disconnected. */
  attach(client: RedisClient): void {
    this.#client = client;
    this.#events.emit('room', undefined);
  }

  /** The connection is dead or no longer trusted. */
  detach(): void {
    this.#client = undefined;
  }

  /** The lease is over. */
  end(): void {
    this.#isEnded = true;
    this.#events.emit('room', undefined);
  }

  /** The lease is still held. The head settles the batches in flight. */
  resumed(head: HeadSnapshot): void {
    const isSame = head.epoch === this.#epoch;
    // A new epoch can mean another server with another clock.
    if (!isSame) this.#clock = new StampClock();
    this.#clock.observe(head.serverAt, performance.now());
    const settled = this.#inFlight.splice(0);
    this.#epoch = head.epoch;
    this.#seq = head.seq;
    this.#published = head.seq;
    this.#isDraining = false;
    const isRerouted = head.partitions !== this.#partitions;
    this.#partitions = head.partitions;
    if (isSame) this.#suspectFirst(settled, head.seq);
    for (const [index, sent] of settled.entries()) {
      if (isSame) this.#settle(sent, head);
      else if (settled.slice(index).every((one) => isResent(one, isRerouted))) sent.resolve(undefined);
      else this.#rejectUnsettled(sent, 'the server has lost its latest data');
    }
  }

  /** A change of the number begins a new epoch. So the writer resumes, and learns the number before the next batch. */
  get #hasOtherPartitions(): boolean {
    const { layout = 1 } = this.#options.channel;
    return this.#partitions !== undefined && this.#partitions !== layout;
  }

  /** Rejects a batch, unless the number has changed since the last head. Then the link reconnects, to resume. */
  async #refuse(client: RedisClient): Promise<undefined> {
    const { channel, onUntrusted } = this.#options;
    const { layout = 1 } = channel;
    this.#refusing++;
    const [partitions] = await client.hmGet(channelKeys(channel).head, ['partitions']).catch(() => []);
    this.#refusing--;
    if (partitions != null && partitions !== String(layout))
      throw new PartitionsChangedError(channel, Number(partitions));
    if (client === this.#client) this.detach();
    onUntrusted(client, new Error('The number of partitions has changed.'));
  }

  #suspectFirst(settled: readonly InFlightBatch[], seq: number): void {
    const next = settled.find((sent) => lastSeq(sent, sent.batch) > seq);
    if (next === undefined) this.#suspect = undefined;
    else if (next.batch === this.#suspect?.batch)
      this.#suspect = { ...this.#suspect, drops: this.#suspect.drops + 1 };
    else this.#suspect = { batch: next.batch, drops: 1 };
  }

  /** The lease is lost. The record of past epochs may still settle the batches in flight. */
  deposed(past: readonly PastEpoch[]): void {
    const ended = past.find(({ epoch }) => epoch === this.#epoch);
    for (const sent of this.#inFlight.splice(0)) {
      // If the epoch ended below a published number, the server had lost data.
      if (ended?.isKnown && ended.seq >= this.#published) this.#settle(sent, ended);
      else this.#rejectUnsettled(sent, 'the lease was lost while it was in flight');
    }
  }

  #rejectUnsettled(sent: InFlightBatch, reason: string): void {
    if (sent.unexecuted) sent.reject(this.#options.refusedError(new Error(reason)));
    else sent.reject(this.#options.unknownError(reason));
  }

  /**
   * The batch was published only if the head has its mark: a higher number in the head can come from a later batch. A
   * batch that was not executed can be sent again, unless that would change the order.
   */
  #settle(sent: InFlightBatch, { seq, marks }: Pick<HeadSnapshot, 'seq' | 'marks'>): void {
    const end = lastSeq(sent, sent.batch);
    if (marks[sent.ordinal % MARK_COUNT] === end) sent.resolve({ first: sent.first, receivers: 0 });
    else if (end > seq && this.#isPoison(sent)) sent.reject(this.#options.notSentError(DROPS_LINKS));
    else if (end > seq) sent.resolve(undefined);
    else sent.reject(this.#options.refusedError(new Error('a later batch was published in its place')));
  }

  #isPoison({ batch }: InFlightBatch): boolean {
    return batch === this.#suspect?.batch && this.#suspect.drops === MAX_DROPS;
  }

  /** The node does not serve the channel now. The link reconnects once the replies to all batches have arrived. */
  #leave(client: RedisClient, error: unknown): void {
    this.detach();
    if (this.#inFlight.every(({ unexecuted }) => unexecuted !== undefined))
      this.#options.onUntrusted(client, error);
  }

  #onReply(client: RedisClient, sent: InFlightBatch, outcome: BatchOutcome): void {
    const index = this.#inFlight.indexOf(sent);
    // Already settled by the head.
    if (index < 0) return;
    if (outcome.state === 'unsettled') return this.#options.onUntrusted(client, outcome.error);
    if (outcome.state === 'elsewhere') {
      sent.unexecuted = 'elsewhere';
      return this.#leave(client, outcome.error);
    }
    if (outcome.state === 'fenced') {
      for (const behind of this.#inFlight.slice(index)) behind.unexecuted = 'fenced';
      return this.#options.onUntrusted(client, new Error('the fence of the channel has changed'));
    }
    this.#inFlight.splice(index, 1);
    switch (outcome.state) {
      case 'published':
        for (const one of this.#inFlight.slice(0, index)) if (one.unexecuted) one.unexecuted = 'overtaken';
        this.#published = Math.max(this.#published, lastSeq(sent, sent.batch));
        this.#clock.observe(outcome.serverAt, performance.now(), sent.at);
        sent.resolve({ first: sent.first, receivers: outcome.receivers });
        break;
      case 'refused':
        this.#isDraining = true;
        sent.reject(this.#options.refusedError(outcome.error));
        this.#options.onRefusal(client, outcome.error);
        break;
      case 'partial':
        sent.reject(
          this.#options.unknownError(`the server rejected a part of the batch: ${outcome.error.message}`),
        );
        // The numbers of this batch are used. If the head does not include them, a new epoch begins.
        this.#published = Math.max(this.#published, lastSeq(sent, sent.batch));
        if (!outcome.isCounted) this.#options.onUntrusted(client, outcome.error);
        break;
    }
    const waiting = this.#inFlight.find(({ unexecuted }) => unexecuted !== undefined);
    if (waiting !== undefined) this.#leave(client, new Error('The node does not serve the channel now.'));
    if (this.#inFlight.length === 0 && this.#isDraining) {
      this.#isDraining = false;
      this.#seq = this.#published;
    }
    this.#events.emit('room', undefined);
  }
}

/**
 * Whether the batch is sent again in another epoch: it was not executed, and no later batch was.
 *
 * @param isRerouted whether the number of partitions has changed, which is why the fence stopped batches
 */
function isResent({ unexecuted }: InFlightBatch, isRerouted: boolean): boolean {
  return unexecuted === 'elsewhere' || (isRerouted && unexecuted === 'fenced');
}

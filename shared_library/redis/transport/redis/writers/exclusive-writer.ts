// The exclusive writer of a channel: numbers and stamps messages, and knows what became of each, even if its link drops.

import type { ChannelSpec } from '../../../channel/channel.ts';
import type { TickbusError } from '../../../errors.ts';
import type { Unsubscribe } from '../../../runtime/emitter.ts';
import { Emitter } from '../../../runtime/emitter.ts';
import type { Outgoing, Receipt, Writer } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import { type BatchOutcome, type BatchPosition, executeBatch, lastSeq, MARK_COUNT } from './plain-batch.ts';
import { StampClock } from './stamp-clock.ts';

/** The most batches under way: with one, a publisher waits for every round trip; marks of eight can be told apart. */
const MAX_IN_FLIGHT = 4;

/**
 * A batch that was the next one to be executed when so many links dropped is not sent again: it may be what drops them. The design has
 * two; a link that is cut every 50 ms then costs messages on a busy machine.
 */
const MAX_DROPS = 3;

export interface ExclusiveWriterOptions {
  readonly channel: ChannelSpec;
  /** What the server executed cannot be trusted, or is not known: the link has to be made anew. */
  readonly onUntrusted: (client: RedisClient, error: unknown) => void;
  /** An error for what the server refused, and for what is left unknown. */
  readonly refusedError: (error: unknown) => TickbusError;
  readonly unknownError: (reason: string) => TickbusError;
  readonly notSentError: (reason: string) => TickbusError;
}

const DROPS_LINKS = `the link dropped ${MAX_DROPS} times when the batch was to be executed, so it is not sent again. Publish smaller messages, or raise client-query-buffer-limit`;

/** Where the head of the channel stands, as the second script of a claim or a resume tells. */
export interface HeadSnapshot {
  readonly epoch: number;
  readonly seq: number;
  /** The sequence with which the last batches ended, by `ordinal % MARKS`; empty after a new epoch. */
  readonly marks: readonly number[];
  readonly serverAt: number;
}

/** Where an epoch ended that is over. */
export interface PastEpoch extends Pick<HeadSnapshot, 'epoch' | 'seq' | 'marks'> {
  /** The server had not forgotten when the epoch ended. */
  readonly isKnown: boolean;
}

interface InFlightBatch extends BatchPosition {
  readonly batch: readonly Outgoing[];
  readonly resolve: (receipt: Receipt | undefined) => void;
  readonly reject: (error: TickbusError) => void;
  /** The server answered that it executed nothing of it, or of one before it. */
  isFenced?: true;
}

/**
 * States, by what is set:
 *
 * - attached (`#client`): batches are sent at once, up to four under way.
 * - detached: the link is down. What is under way waits for `resumed` or `deposed`, nothing more is taken.
 * - ended: the lease is over. Nothing more is taken; what is under way is settled as before.
 *
 *     attached <-> detached;   any -> ended
 *
 * Invariant: a batch settles once, by the reply of the connection it was sent on, or by what the head says after that connection is dead.
 * After a refusal nothing is sent until nothing is under way: then the numbers of the refused batch are used again, if no later
 * batch has passed it. If one has, its numbers are a hole, which subscribers report.
 */
export class ExclusiveWriter implements Writer {
  readonly #options: ExclusiveWriterOptions;
  #clock = new StampClock();
  readonly #events = new Emitter<{ room: undefined }>(() => {});
  #client: RedisClient | undefined;
  #epoch: number;
  /** The highest number given away. */
  #seq = 0;
  /** The highest number that is known to be published. */
  #published = 0;
  #ordinal = 0;
  #inFlight: InFlightBatch[] = [];
  /** The batch that was to be executed next when the link dropped, and how often that happened in a row. */
  #suspect: { readonly batch: readonly Outgoing[]; readonly drops: number } | undefined;
  #isDraining = false;
  #isEnded = false;

  constructor(options: ExclusiveWriterOptions, head: HeadSnapshot) {
    this.#options = options;
    this.#epoch = head.epoch;
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
    if (this.#client === undefined || this.#isEnded || this.#isDraining) return 0;
    return MAX_IN_FLIGHT - this.#inFlight.length;
  }

  onRoom(listener: () => void): Unsubscribe {
    return this.#events.on('room', listener);
  }

  publish(batch: readonly Outgoing[]): Promise<Receipt | undefined> {
    const client = this.#client;
    if (client === undefined || this.#isEnded) return Promise.resolve(undefined);
    const first = { epoch: this.#epoch, seq: this.#seq + 1 };
    const at = this.#clock.at(performance.now());
    this.#seq += batch.length;
    return new Promise((resolve, reject) => {
      const sent: InFlightBatch = { batch, first, at, ordinal: this.#ordinal++, resolve, reject };
      this.#inFlight.push(sent);
      void executeBatch(client, this.#options.channel, batch, sent).then((executed) =>
        this.#onReply(client, sent, executed),
      );
    });
  }

  /** A connection on which every other writer is known to be dead. */
  attach(client: RedisClient): void {
    this.#client = client;
    this.#events.emit('room', undefined);
  }

  /** The connection is dead, or not trusted any more. */
  detach(): void {
    this.#client = undefined;
  }

  /** The lease is over. */
  end(): void {
    this.#isEnded = true;
    this.#events.emit('room', undefined);
  }

  /** The lease is still ours; the head says what became of the batches that were under way. */
  resumed(head: HeadSnapshot): void {
    const isSame = head.epoch === this.#epoch;
    // Another server may have another clock.
    if (!isSame) this.#clock = new StampClock();
    this.#clock.observe(head.serverAt, performance.now());
    const settled = this.#inFlight.splice(0);
    this.#epoch = head.epoch;
    this.#seq = head.seq;
    this.#published = head.seq;
    this.#isDraining = false;
    if (isSame) this.#suspectFirst(settled, head.seq);
    for (const sent of settled) {
      if (isSame) this.#settle(sent, head);
      else this.#rejectUnsettled(sent, 'the server has lost its latest memory');
    }
  }

  #suspectFirst(settled: readonly InFlightBatch[], seq: number): void {
    const next = settled.find((sent) => lastSeq(sent, sent.batch) > seq);
    if (next === undefined) this.#suspect = undefined;
    else if (next.batch === this.#suspect?.batch)
      this.#suspect = { ...this.#suspect, drops: this.#suspect.drops + 1 };
    else this.#suspect = { batch: next.batch, drops: 1 };
  }

  /** The lease is another's, or nobody's; the head may still say what became of the batches that were under way. */
  deposed(past: readonly PastEpoch[]): void {
    const ended = past.find(({ epoch }) => epoch === this.#epoch);
    for (const sent of this.#inFlight.splice(0)) {
      // One that ended below what was published had forgotten.
      if (ended?.isKnown && ended.seq >= this.#published) this.#settle(sent, ended);
      else this.#rejectUnsettled(sent, 'the lease was lost while it was under way');
    }
  }

  #rejectUnsettled(sent: InFlightBatch, reason: string): void {
    if (sent.isFenced) sent.reject(this.#options.refusedError(new Error(reason)));
    else sent.reject(this.#options.unknownError(reason));
  }

  /**
   * Published only if the mark of the batch stands: a later batch can have passed one that was refused. What was not executed
   * can be sent again, unless that would change the order.
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

  #onReply(client: RedisClient, sent: InFlightBatch, executed: BatchOutcome): void {
    const index = this.#inFlight.indexOf(sent);
    // It was settled by the head.
    if (index < 0) return;
    if (executed.state === 'unsettled') return this.#options.onUntrusted(client, executed.error);
    if (executed.state === 'fenced') {
      for (const behind of this.#inFlight.slice(index)) behind.isFenced = true;
      return this.#options.onUntrusted(client, new Error('the fence of the channel has changed'));
    }
    this.#inFlight.splice(index, 1);
    switch (executed.state) {
      case 'published':
        this.#published = Math.max(this.#published, lastSeq(sent, sent.batch));
        this.#clock.observe(executed.serverAt, performance.now(), sent.at);
        sent.resolve({ first: sent.first, receivers: executed.receivers });
        break;
      case 'refused':
        this.#isDraining = true;
        sent.reject(this.#options.refusedError(executed.error));
        break;
      case 'partial':
        sent.reject(this.#options.unknownError(`a part was refused: ${executed.error.message}`));
        // Its numbers are used up. A head that does not know of them begins a new epoch.
        this.#published = Math.max(this.#published, lastSeq(sent, sent.batch));
        if (!executed.isCounted) this.#options.onUntrusted(client, executed.error);
        break;
    }
    if (this.#inFlight.length === 0 && this.#isDraining) {
      this.#isDraining = false;
      this.#seq = this.#published;
    }
    this.#events.emit('room', undefined);
  }
}

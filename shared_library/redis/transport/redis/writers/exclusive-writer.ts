// The exclusive writer of a channel: numbers and timestamps messages, and resolves their outcomes even if its link
// drops.

import type { Unsubscribe } from '../../../runtime/emitter.ts';
import { Emitter } from '../../../runtime/emitter.ts';
import type { Confirmation, Outgoing, Receipt, Writer } from '../../port.ts';
import type { RedisClient } from '../client.ts';
import type { HeadSnapshot, PastEpoch } from './head-snapshot.ts';
import { DROPS_LINKS, DropSuspect, type InFlightBatch, isResent, OTHERS_REFUSED } from './in-flight-batch.ts';
import { LayoutCheck } from './layout-check.ts';
import { type BatchTarget, batchCommands, batchTarget, lastSeq, MARK_COUNT } from './plain-batch.ts';
import { ReplicaWait } from './replica-wait.ts';
import { StampClock } from './stamp-clock.ts';
import { type BatchOutcome, Transactions } from './transaction.ts';
import { LEASE_LOST, UnconfirmedBatches } from './unconfirmed-batches.ts';
import { WaitPermission } from './wait-permission.ts';
import type { ExclusiveWriterOptions } from './writer-options.ts';

/** Maximum number of batches in flight. With one, a publisher waits for every round trip. Must be below MARK_COUNT. */
const MAX_IN_FLIGHT = 4;

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
 * If replicas must confirm a batch, a WAIT follows it. The batch counts against the limit of four until its reply, and
 * the next ones are sent meanwhile.
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
  readonly #unconfirmed = new UnconfirmedBatches(() => this.#events.emit('room', undefined));
  readonly #suspect = new DropSuspect();
  readonly #layout: LayoutCheck;
  readonly #permission: WaitPermission;
  readonly #target: BatchTarget;
  #isDraining = false;
  #isEnded = false;

  constructor(options: ExclusiveWriterOptions, head: HeadSnapshot) {
    this.#options = options;
    this.#epoch = head.epoch;
    const { channel, isSharded } = options;
    this.#layout = new LayoutCheck(channel, head.partitions);
    const { refusedError } = options;
    this.#permission = new WaitPermission({
      refusedError,
      onAnswer: () => this.#events.emit('room', undefined),
    });
    this.#target = batchTarget(channel, isSharded);
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
    if (this.#options.fence() === undefined || this.#permission.isAsking || this.#layout.isRefusing) return 0;
    return MAX_IN_FLIGHT - this.#inFlight.length - this.#unconfirmed.size;
  }

  onRoom(listener: () => void): Unsubscribe {
    return this.#events.on('room', listener);
  }

  publish(batch: readonly Outgoing[], required?: Confirmation): Promise<Receipt | undefined> {
    const client = this.#client;
    const fence = this.#options.fence();
    if (client === undefined || fence === undefined || this.#isEnded) return Promise.resolve(undefined);
    if (!this.#layout.isMatch) return this.#refuse(client);
    if (required !== undefined && !ReplicaWait.on(client).isAllowed) return this.#permission.ask(client);
    const confirmation = required && { ...required, until: performance.now() + required.withinMs };
    const first = { epoch: this.#epoch, seq: this.#seq + 1 };
    const at = this.#clock.at(performance.now());
    this.#seq += batch.length;
    return new Promise((resolve, reject) => {
      const sent: InFlightBatch = {
        batch,
        first,
        at,
        ordinal: this.#ordinal++,
        fence,
        confirmation,
        resolve,
        reject,
      };
      this.#inFlight.push(sent);
      let count: Promise<number> | undefined;
      const executed = this.#execute(client, sent, () => {
        // Behind the batch, so that it waits for the replicas to have it.
        count = confirmation && ReplicaWait.on(client).confirm(confirmation);
        count?.catch(() => {});
      });
      void executed.then((outcome) => this.#onReply(client, sent, outcome, count));
    });
  }

  #execute(client: RedisClient, sent: InFlightBatch, onSent: () => void): Promise<BatchOutcome> {
    const { isSharded, onUntrusted } = this.#options;
    const commands = batchCommands(this.#target, sent.batch, sent);
    const onUnguarded = (error: unknown) => onUntrusted(client, error);
    return Transactions.on(client).execute(commands, { isSharded, onUnguarded, onSent });
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
  resumed(head: HeadSnapshot, client: RedisClient): void {
    const isSame = head.epoch === this.#epoch;
    // A new epoch can mean another server with another clock.
    if (!isSame) this.#clock = new StampClock();
    this.#clock.observe(head.serverAt, performance.now());
    const settled = this.#inFlight.splice(0);
    this.#epoch = head.epoch;
    this.#seq = head.seq;
    this.#published = head.seq;
    this.#isDraining = false;
    const isRerouted = this.#layout.update(head.partitions);
    if (isSame) this.#suspect.dropped(settled, head.seq);
    if (isSame) this.#unconfirmed.moveTo(client);
    else this.#unconfirmed.rejectAll('the server has lost its latest data');
    for (const [index, sent] of settled.entries()) {
      if (isSame) this.#settle(sent, head, client);
      else if (settled.slice(index).every((one) => isResent(one, isRerouted))) sent.resolve(undefined);
      else this.#rejectUnsettled(sent, 'the server has lost its latest data');
    }
  }

  /** Rejects a batch, unless the number has changed since the last head. Then the link reconnects, to resume. */
  async #refuse(client: RedisClient): Promise<undefined> {
    await this.#layout.refuse(client);
    if (client === this.#client) this.detach();
    this.#options.onUntrusted(client, new Error('The number of partitions has changed.'));
  }

  /** The lease is lost. The record of past epochs may still settle the batches in flight. */
  deposed(past: readonly PastEpoch[]): void {
    this.#unconfirmed.rejectAll(LEASE_LOST);
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
  #settle(
    sent: InFlightBatch,
    { seq, marks }: Pick<HeadSnapshot, 'seq' | 'marks'>,
    client?: RedisClient,
  ): void {
    const end = lastSeq(sent, sent.batch);
    if (marks[sent.ordinal % MARK_COUNT] === end)
      this.#onPublished(
        sent,
        0,
        sent.confirmation && client && ReplicaWait.on(client).confirm(sent.confirmation),
      );
    else if (end > seq && this.#suspect.isPoison(sent)) sent.reject(this.#options.notSentError(DROPS_LINKS));
    else if (end > seq) sent.resolve(undefined);
    else sent.reject(this.#options.refusedError(new Error('a later batch was published in its place')));
  }

  /** @param count the number of replicas that confirm the batch; undefined if none can be asked */
  #onPublished(sent: InFlightBatch, receivers: number, count: Promise<number> | undefined): void {
    const { confirmation, first } = sent;
    const resolve = () => sent.resolve({ first, receivers });
    const reject = (reason: string) => sent.reject(this.#options.unconfirmedError(reason));
    if (confirmation === undefined) resolve();
    else if (count === undefined) reject(LEASE_LOST);
    else this.#unconfirmed.add({ confirmation, resolve, reject }, count);
  }

  /** The node does not serve the channel now. The link reconnects once the replies to all batches have arrived. */
  #leave(client: RedisClient, error: unknown): void {
    this.detach();
    if (this.#inFlight.every(({ unexecuted }) => unexecuted !== undefined))
      this.#options.onUntrusted(client, error);
  }

  /** The batch can be sent again, unless a later one may be published before it. */
  #onOthersRefused(sent: InFlightBatch): void {
    if (this.#inFlight.length === 0) sent.resolve(undefined);
    else sent.reject(this.#options.notSentError(OTHERS_REFUSED));
  }

  #onReply(
    client: RedisClient,
    sent: InFlightBatch,
    outcome: BatchOutcome,
    count: Promise<number> | undefined,
  ): void {
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
        this.#onPublished(sent, outcome.receivers, count);
        break;
      case 'refused':
        this.#isDraining = true;
        if (outcome.error === undefined) this.#onOthersRefused(sent);
        else sent.reject(this.#options.refusedError(outcome.error));
        if (outcome.error !== undefined) this.#options.onRefusal(client, outcome.error);
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

// Turns single publishes of one channel into batches: one call in flight, what arrives meanwhile goes in the next.

import type { ChannelSpec } from '../core/channel.ts';
import type { Clock, Fence, FenceToken, Outgoing, Receipt, Transport } from '../core/ports.ts';
import type { Position } from '../core/sequence.ts';
import { TickbusError } from '../errors.ts';

/** What became of one message. */
export interface Published {
  /** Where the message stands in the channel; undefined on a `plain` channel. */
  readonly position: Position | undefined;
  /** How many subscriptions it reached; 0 means that nobody was listening. */
  readonly receivers: number;
  /** The id of a command. */
  readonly id?: string;
  /** True when a command of this id had been published before: it was not published again, and this is what became of it then. */
  readonly repeated?: true;
}

export interface BatcherOptions {
  readonly channel: ChannelSpec;
  readonly transport: Transport;
  readonly clock: Clock;
  /** What is added while it is not held, or waits while it is lost, is refused. */
  readonly lease?: Fence | undefined;
  /** Milliseconds from `add` after which what is in flight is given up as unknown, and what waits behind it as not sent. */
  readonly deadlineMs: number;
  /** The most UTF-16 units that may wait. */
  readonly maxPending: number;
}

interface Waiting {
  readonly message: Outgoing;
  readonly fence: FenceToken | undefined;
  /** By the monotonic clock. */
  readonly since: number;
  resolve(published: Published): void;
  reject(error: unknown): void;
}

/** The most messages and bytes of one call; 128 is where the gain levels off (measured: 241k/s at 32, 319k/s at 128). */
const MAX_BATCH = 128;
const MAX_BATCH_SIZE = 256 * 1024;

/**
 * States: idle -> collecting (until the end of this microtask turn) -> in flight -> in flight with the next | idle.
 * A call past its deadline leaves the batcher `stalled`: nothing more is accepted until the transport settles that call,
 * so that nothing is queued behind a dead link.
 */
export class Batcher {
  readonly #options: BatcherOptions;
  #state: 'idle' | 'collecting' | 'in_flight' | 'stalled' = 'idle';
  #waiting: Waiting[] = [];
  #waitingSize = 0;
  readonly #onSettled: (() => void)[] = [];

  constructor(options: BatcherOptions) {
    this.#options = options;
  }

  /** The token under which a message is published that is accepted now. */
  get fence(): FenceToken | undefined {
    return this.#options.lease?.token;
  }

  /** @param fence the token that was held when the message was accepted */
  add(message: Outgoing, fence?: FenceToken): Promise<Published> {
    if (!this.#isHeld(fence)) return Promise.reject(this.#fenced());
    if (this.#state === 'stalled') return Promise.reject(this.#notSent());
    if (this.#waitingSize + message.json.length > this.#options.maxPending)
      return Promise.reject(this.#full());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, fence, since: this.#options.clock.monotonic(), resolve, reject });
      this.#waitingSize += message.json.length;
      if (this.#state === 'idle') {
        this.#state = 'collecting';
        queueMicrotask(() => this.#send());
      }
    });
  }

  /** Resolves when what has become of everything that was added is told. */
  settled(): Promise<void> {
    if (this.#state === 'idle' || this.#state === 'stalled') return Promise.resolve();
    return new Promise((resolve) => this.#onSettled.push(resolve));
  }

  #rest(state: 'idle' | 'stalled'): void {
    this.#state = state;
    for (const resolve of this.#onSettled.splice(0)) resolve();
  }

  #send(): void {
    this.#refuseFenced();
    const batch = this.#nextBatch();
    const [oldest] = batch;
    if (oldest === undefined) return this.#rest('idle');
    this.#state = 'in_flight';
    const { channel, transport, clock, deadlineMs } = this.#options;
    const left = Math.max(0, oldest.since + deadlineMs - clock.monotonic());
    const cancelDeadline = clock.after(left, () => this.#giveUp(batch));
    transport
      .publish(
        channel,
        batch.map((waiting) => waiting.message),
        oldest.fence,
      )
      .then(
        (receipt) => settle(batch, receipt),
        (error: unknown) => {
          rejectAll(batch, error);
          if (error instanceof TickbusError && error.code === 'TICKBUS_FENCED')
            this.#options.lease?.confirm();
        },
      )
      .finally(() => {
        cancelDeadline();
        this.#send();
      });
  }

  #isHeld(fence: FenceToken | undefined): boolean {
    const { lease } = this.#options;
    return lease === undefined || (fence !== undefined && fence === lease.token);
  }

  /** What was accepted under a lease that has been lost meanwhile. All that is left was accepted under the one that is held. */
  #refuseFenced(): void {
    if (this.#options.lease === undefined) return;
    const refused = this.#waiting.filter(({ fence }) => !this.#isHeld(fence));
    if (refused.length === 0) return;
    this.#waiting = this.#waiting.filter(({ fence }) => this.#isHeld(fence));
    for (const { message } of refused) this.#waitingSize -= message.json.length;
    rejectAll(refused, this.#fenced());
  }

  #nextBatch(): Waiting[] {
    let count = 0;
    let size = 0;
    for (const { message } of this.#waiting) {
      if (count === MAX_BATCH || (count > 0 && size + message.json.length > MAX_BATCH_SIZE)) break;
      size += message.json.length;
      count++;
    }
    this.#waitingSize -= size;
    return this.#waiting.splice(0, count);
  }

  #giveUp(batch: readonly Waiting[]): void {
    rejectAll(batch, this.#unknown());
    const behind = this.#waiting;
    this.#waiting = [];
    this.#waitingSize = 0;
    rejectAll(behind, this.#notSent());
    this.#rest('stalled');
  }

  #unknown(): TickbusError {
    const { channel, deadlineMs } = this.#options;
    const text = `Publishing on ${channel.name} was sent, and no reply came within ${deadlineMs} ms: it may or may not have been published.`;
    return new TickbusError('TICKBUS_OUTCOME_UNKNOWN', text);
  }

  #notSent(): TickbusError {
    const { channel, deadlineMs } = this.#options;
    const text = `Publishing on ${channel.name} was not sent: the server has not answered an earlier call within ${deadlineMs} ms.`;
    return new TickbusError('TICKBUS_NOT_SENT', text);
  }

  #fenced(): TickbusError {
    const text = `Nothing was published on ${this.#options.channel.name}: its lease is not held, or was lost while the message waited.`;
    return new TickbusError('TICKBUS_FENCED', text);
  }

  #full(): TickbusError {
    const { channel, maxPending } = this.#options;
    const text = `Publishing on ${channel.name} was not sent: ${maxPending} bytes are waiting already. Publish slower, or raise maxPendingBytes.`;
    return new TickbusError('TICKBUS_BACKLOG_FULL', text);
  }
}

function settle(batch: readonly Waiting[], { first, receivers, repeated }: Receipt): void {
  let seq = first?.seq ?? 0;
  for (const [index, { message, resolve }] of batch.entries()) {
    const before = repeated?.get(index);
    if (before !== undefined) {
      resolve({ ...before, ...idOf(message), repeated: true });
      continue;
    }
    const position = first === undefined ? undefined : { epoch: first.epoch, seq: seq++ };
    resolve(message.once === undefined ? { position, receivers } : { position, receivers, ...idOf(message) });
  }
}

function idOf({ once }: Outgoing): { id?: string } {
  return once === undefined ? {} : { id: once.id };
}

function rejectAll(waiting: readonly Waiting[], error: unknown): void {
  for (const { reject } of waiting) reject(error);
}

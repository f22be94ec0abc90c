// Publishes on TRADES, each message once: only with the lease, and again only if the server has not stored it.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Clock, type Connection, type Logger, TickbusError, type TradeChannel } from 'tickbus';
import { RedisLease } from 'tickbus/lease';
import { RedisPublisher } from 'tickbus/publisher';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import { readStoredTrades, type StoredTrades } from './stored-trades.ts';
import { type ChannelMessage, identitiesOf } from './trade-messages.ts';

export interface TradeSenderOptions {
  readonly connection: Connection;
  readonly channel: TradeChannel;
  readonly leaseTtlMs: number;
  readonly leaseReplicas?: number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly warnings: RateLimitedLog;
  /** Called when messages can be sent, also again after a failure. `stored`: what is stored on the channel. */
  readonly onReady: (stored: StoredTrades) => void;
  /** Called when more messages can be sent. */
  readonly onRoom: () => void;
  readonly onPublished: (message: ChannelMessage) => void;
  /** The message is given up. */
  readonly onRejected: (message: ChannelMessage) => void;
}

interface Sent {
  readonly message: ChannelMessage;
  /** The number of equal messages that are published once this one is, itself included. */
  readonly occurrence: number;
  /** Its place in the order of sending. */
  readonly number: number;
  failures: number;
}

/** Unsettled messages at most: no more than the server keeps, which says whether they were published. */
const MAX_IN_FLIGHT = 500;
/** A message that the server has rejected this often is given up. */
const MAX_FAILURES = 3;
/** Delay before the next attempt to reach Redis, milliseconds. */
const RETRY_MS = 500;

/**
 * idle -> waiting (for the lease, then for what is stored) <-> ready;   any -> closed
 *
 * Any failure returns to waiting: the lease is released and acquired again, so that the server executes nothing of
 * before. What is stored then says which messages were published. The others are sent again, before newer ones.
 */
export class TradeSender {
  readonly #options: TradeSenderOptions;
  readonly #lease: RedisLease;
  readonly #publisher: RedisPublisher;
  readonly #inFlight = new Set<Promise<void>>();
  #failed: Sent[] = [];
  #state: 'idle' | 'waiting' | 'ready' | 'closed' = 'idle';
  #sent = 0;
  #problem: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: TradeSenderOptions) {
    const { connection, channel, leaseTtlMs, leaseReplicas, clock, logger } = options;
    this.#options = options;
    this.#lease = new RedisLease({ connection, channel, ttlMs: leaseTtlMs, replicas: leaseReplicas, logger });
    this.#publisher = new RedisPublisher({
      connection,
      lease: this.#lease,
      sender: 'price-gateway',
      // The lease expires first, so that a message is rejected as soon as a successor may publish.
      deadlineMs: 2 * leaseTtlMs,
      clock,
    });
    this.#lease.on('gained', ({ token }) => void this.#onGained(token));
    this.#lease.on('lost', () => this.#leaveReady());
  }

  get canSend(): boolean {
    return this.#state === 'ready' && this.#inFlight.size < MAX_IN_FLIGHT;
  }

  /** The number of messages whose publish failed, and which wait to be sent again unless the server has stored them. */
  get unsettled(): number {
    return this.#failed.length;
  }

  /** Why nothing can be published now; undefined if it can, and before `start`. */
  get problem(): string | undefined {
    return this.#state === 'waiting' ? (this.#lease.problem ?? this.#problem) : undefined;
  }

  /** Becomes a candidate for the lease. Idempotent. */
  start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'waiting';
    void this.#compete();
  }

  /** Call it only while `canSend`. @param occurrence see `Admission`; 1 for a message that is never sent twice */
  send(message: ChannelMessage, occurrence: number): void {
    this.#publish({ message, occurrence, number: this.#sent++, failures: 0 });
  }

  /** Resolves when no message is in flight. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  /** Publishes nothing more from now on, and releases the lease. */
  close(): Promise<void> {
    this.#state = 'closed';
    this.#closing ??= Promise.all([this.#lease.close(), this.#publisher.close()]).then(() => {});
    return this.#closing;
  }

  async #compete(): Promise<void> {
    while (this.#state === 'waiting') {
      try {
        return await this.#lease.start();
      } catch (error) {
        this.#warn(error, 'Cannot acquire the lease of trades; trying again.');
        await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  async #onGained(token: number): Promise<void> {
    const { onReady } = this.#options;
    const isCurrent = () => this.#state === 'waiting' && this.#lease.token === token;
    await this.settled();
    while (isCurrent()) {
      try {
        const { connection, channel } = this.#options;
        const stored = await readStoredTrades(connection.publishing, channel);
        if (!isCurrent()) return;
        this.#state = 'ready';
        this.#problem = undefined;
        this.#sendFailed(stored);
        return onReady(stored);
      } catch (error) {
        this.#warn(error, 'Cannot read the stored trades; trying again.');
        await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  /** Sends again what the server has not stored. */
  #sendFailed({ messages }: StoredTrades): void {
    const failed = this.#failed.sort((one, other) => one.number - other.number);
    this.#failed = [];
    if (failed.length === 0) return;
    const counts = new Map<string, number>();
    for (const message of messages) {
      const key = keyOf(message);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const sent of failed) {
      const isStored = (counts.get(keyOf(sent.message)) ?? 0) >= sent.occurrence;
      if (isStored) this.#options.onPublished(sent.message);
      else this.#publish(sent);
    }
  }

  #publish(sent: Sent): void {
    const { channel, onPublished } = this.#options;
    const { type, data } = sent.message;
    const settled: Promise<void> = this.#publisher
      .publish(channel, data, { type })
      .then(
        () => onPublished(sent.message),
        (error: unknown) => this.#onFailed(sent, error),
      )
      .finally(() => {
        this.#inFlight.delete(settled);
        if (this.#inFlight.size === MAX_IN_FLIGHT / 2) this.#options.onRoom();
      });
    this.#inFlight.add(settled);
  }

  #onFailed(sent: Sent, error: unknown): void {
    if (this.#state === 'closed') return;
    const code = error instanceof TickbusError ? error.code : undefined;
    this.#warn(error, 'A trade was not published; it is sent again unless the server has stored it.');
    if (code !== 'TICKBUS_FENCED') sent.failures++;
    // A gap is never given up, because nothing else would report it.
    const isHopeless = sent.failures >= MAX_FAILURES && sent.message.type !== 'trade_gap';
    if (isHopeless || code === 'TICKBUS_INVALID_MESSAGE') return this.#options.onRejected(sent.message);
    this.#failed.push(sent);
    if (this.#state === 'ready') {
      this.#leaveReady();
      void this.#startAgain();
    }
  }

  #leaveReady(): void {
    if (this.#state === 'ready') this.#state = 'waiting';
  }

  async #startAgain(): Promise<void> {
    await this.settled();
    await this.#lease.release();
    await this.#compete();
  }

  #warn(error: unknown, text: string): void {
    this.#problem = String(error);
    this.#options.warnings.warn('trades', { reason: this.#problem }, text);
  }
}

function keyOf(message: ChannelMessage): string {
  if (message.type === 'trade_gap') return JSON.stringify(message.data);
  const [{ symbol, key }] = identitiesOf(message);
  return `${symbol} ${key}`;
}

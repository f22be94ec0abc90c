// What the subscriptions of one subscriber want of one channel, kept on the server as long as they want it.

import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { DemandOperations } from '../transport/port.ts';

export interface SubscriberDemandOptions {
  readonly operations: DemandOperations;
  readonly clock: Clock;
  /** Whose it is: unlike any other subscriber's. */
  readonly subscriberId: string;
  /** The server does not let us say what we want; told once. */
  readonly onRefused: (error: TickbusError) => void;
}

/** Milliseconds that what was declared lasts; a bot that died wants nothing any more after it. */
const TTL_MS = 15_000;

/**
 * States:
 *
 * - `idle`: not listening, or the link is down. What is wanted is remembered.
 * - `active`: what is wanted is declared, and declared again every third of the TTL; nothing runs while nothing is wanted.
 * - `refused`: as `idle`, until the next connection.
 * - `closed`.
 */
export class SubscriberDemand {
  readonly #options: SubscriberDemandOptions;
  /** Each key, and how many subscriptions want it. */
  readonly #counts = new Map<string, number>();
  #declared: ReadonlySet<string> = new Set();
  #state: 'idle' | 'active' | 'refused' | 'closed' = 'idle';
  #isSyncScheduled = false;
  #wasRefused = false;
  #cancelRenewal: Unsubscribe = () => {};

  constructor(options: SubscriberDemandOptions) {
    this.#options = options;
  }

  add(keys: Iterable<string>): void {
    for (const key of keys) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#scheduleSync();
  }

  remove(keys: Iterable<string>): void {
    for (const key of keys) {
      const count = this.#counts.get(key) ?? 0;
      if (count > 1) this.#counts.set(key, count - 1);
      else this.#counts.delete(key);
    }
    this.#scheduleSync();
  }

  /** The link is up: whatever the server knows, it is told anew. */
  start(): void {
    if (this.#state === 'closed') return;
    this.#enter('active');
    this.#declared = new Set();
    this.#sync();
  }

  suspend(): void {
    if (this.#state !== 'closed') this.#enter('idle');
  }

  /** Wants nothing any more; resolves when the server knows, or cannot be told. */
  async close(): Promise<void> {
    const { operations, subscriberId } = this.#options;
    const wasActive = this.#state === 'active';
    this.#enter('closed');
    const keys = [...this.#declared];
    if (wasActive && keys.length > 0) await operations.withdraw(subscriberId, keys).catch(() => {});
  }

  #enter(state: 'idle' | 'active' | 'refused' | 'closed'): void {
    this.#state = state;
    this.#cancelRenewal();
  }

  /** Once for all that changes in one turn. */
  #scheduleSync(): void {
    if (this.#isSyncScheduled || this.#state !== 'active') return;
    this.#isSyncScheduled = true;
    queueMicrotask(() => {
      this.#isSyncScheduled = false;
      if (this.#state === 'active') this.#sync();
    });
  }

  /** Calls reach the server in the order in which they are made, so none has to wait for another. */
  #sync(): void {
    const { operations, subscriberId } = this.#options;
    const added = [...this.#counts.keys()].filter((key) => !this.#declared.has(key));
    const dropped = [...this.#declared].filter((key) => !this.#counts.has(key));
    this.#declared = new Set(this.#counts.keys());
    if (added.length > 0) this.#send(operations.declare(subscriberId, added, TTL_MS));
    if (dropped.length > 0) this.#send(operations.withdraw(subscriberId, dropped));
    this.#scheduleRenewal();
  }

  #scheduleRenewal(): void {
    this.#cancelRenewal();
    if (this.#declared.size === 0) return;
    this.#cancelRenewal = this.#options.clock.after(TTL_MS / 3, () => {
      this.#declared = new Set();
      this.#sync();
    });
  }

  /** What is lost on the way is made good by the next renewal, or the next connection. */
  #send(call: Promise<void>): void {
    call.catch((error: unknown) => {
      if (!(error instanceof TickbusError) || error.code !== 'TICKBUS_DENIED') return;
      if (this.#state === 'active') this.#enter('refused');
      if (this.#wasRefused) return;
      this.#wasRefused = true;
      this.#options.onRefused(error);
    });
  }
}

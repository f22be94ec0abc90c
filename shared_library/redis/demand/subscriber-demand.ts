// The demand of one subscriber on one channel: the keys that it requests, declared and kept up to date on the server.

import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { DemandOperations } from '../transport/port.ts';

export interface SubscriberDemandOptions {
  readonly operations: DemandOperations;
  readonly clock: Clock;
  /** Unique among subscribers. */
  readonly subscriberId: string;
  /** Called once if the user may not declare demand. */
  readonly onRefused: (error: TickbusError) => void;
}

/** Milliseconds after which a declaration expires. The demand of a crashed bot ends by then. */
const TTL_MS = 15_000;

/**
 * States:
 *
 * - `idle`: not listening, or the link is down. Keys are collected but not declared.
 * - `active`: keys are declared, and declared again every third of the TTL. Without keys no timer runs.
 * - `refused`: the user may not declare demand. Like `idle`, until the next connection.
 * - `closed`.
 */
export class SubscriberDemand {
  readonly #options: SubscriberDemandOptions;
  /** The number of subscriptions that request each key. */
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

  /** Called on every new connection. Declares all keys again, because the server may have lost them. */
  start(): void {
    if (this.#state === 'closed') return;
    this.#enter('active');
    this.#declared = new Set();
    this.#sync();
  }

  suspend(): void {
    if (this.#state !== 'closed') this.#enter('idle');
  }

  /** Withdraws all keys. Resolves even if the server cannot be reached. */
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

  /** Synchronises once for all changes in one turn of the event loop. */
  #scheduleSync(): void {
    if (this.#isSyncScheduled || this.#state !== 'active') return;
    this.#isSyncScheduled = true;
    queueMicrotask(() => {
      this.#isSyncScheduled = false;
      if (this.#state === 'active') this.#sync();
    });
  }

  /** Calls reach the server in order, so none has to wait for another. */
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

  /** A lost call needs no retry: the next renewal or connection declares all keys again, and withdrawn keys expire. */
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

// What the subscriptions of one subscriber want of one channel, kept on the server as long as they want it.

import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { DemandOperations } from '../transport/port.ts';

export interface SubscriberDemandOptions {
  readonly operations: DemandOperations;
  readonly clock: Clock;
  /** Whose it is: unlike any other subscriber's. */
  readonly who: string;
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
  readonly #wanted = new Map<string, number>();
  #declared: ReadonlySet<string> = new Set();
  #state: 'idle' | 'active' | 'refused' | 'closed' = 'idle';
  #isSyncing = false;
  #wasRefused = false;
  #cancelRenewal: Unsubscribe = () => {};

  constructor(options: SubscriberDemandOptions) {
    this.#options = options;
  }

  want(keys: Iterable<string>): void {
    for (const key of keys) this.#wanted.set(key, (this.#wanted.get(key) ?? 0) + 1);
    this.#syncSoon();
  }

  drop(keys: Iterable<string>): void {
    for (const key of keys) {
      const count = this.#wanted.get(key) ?? 0;
      if (count > 1) this.#wanted.set(key, count - 1);
      else this.#wanted.delete(key);
    }
    this.#syncSoon();
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
    const { operations, who } = this.#options;
    const wasActive = this.#state === 'active';
    this.#enter('closed');
    const keys = [...this.#declared];
    if (wasActive && keys.length > 0) await operations.withdraw(who, keys).catch(() => {});
  }

  #enter(state: 'idle' | 'active' | 'refused' | 'closed'): void {
    this.#state = state;
    this.#cancelRenewal();
  }

  /** Once for all that changes in one turn. */
  #syncSoon(): void {
    if (this.#isSyncing || this.#state !== 'active') return;
    this.#isSyncing = true;
    queueMicrotask(() => {
      this.#isSyncing = false;
      if (this.#state === 'active') this.#sync();
    });
  }

  /** Calls reach the server in the order in which they are made, so none has to wait for another. */
  #sync(): void {
    const { operations, who } = this.#options;
    const added = [...this.#wanted.keys()].filter((key) => !this.#declared.has(key));
    const dropped = [...this.#declared].filter((key) => !this.#wanted.has(key));
    this.#declared = new Set(this.#wanted.keys());
    if (added.length > 0) this.#send(operations.declare(who, added, TTL_MS));
    if (dropped.length > 0) this.#send(operations.withdraw(who, dropped));
    this.#renewLater();
  }

  #renewLater(): void {
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

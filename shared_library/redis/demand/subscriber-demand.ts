// The demand of one subscriber on one channel: the keys that it requests, declared and kept up to date on the server.

import { MAX_SUBSCRIBER_KEYS } from '../channel/limits.ts';
import { type ErrorCode, TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { microtask } from '../runtime/turns.ts';
import type { DemandOperations } from '../transport/demand-port.ts';

export interface SubscriberDemandOptions {
  readonly operations: DemandOperations;
  readonly clock: Clock;
  /** Unique among subscribers. */
  readonly subscriberId: string;
  /** Called when keys could not be declared, once for each error code. Not called for a lost link. */
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
  readonly #reportedCodes = new Set<ErrorCode>();
  #cancelRenewal: Unsubscribe = () => {};

  constructor(options: SubscriberDemandOptions) {
    this.#options = options;
  }

  /** @throws TickbusError `TICKBUS_LIMIT_EXCEEDED` above `MAX_SUBSCRIBER_KEYS`; no key is added then */
  add(keys: Iterable<string>): void {
    const added = [...keys];
    const total = this.#counts.size + added.filter((key) => !this.#counts.has(key)).length;
    if (total > MAX_SUBSCRIBER_KEYS) throw tooManyKeysError(total);
    for (const key of added) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
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
    microtask(() => {
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

  /** A failed call is not retried: the next renewal or connection declares all keys again, and other keys expire. */
  #send(call: Promise<void>): void {
    call.catch((cause: unknown) => {
      const error = cause instanceof TickbusError ? cause : unexpectedError(cause);
      if (LINK_CODES.has(error.code)) return;
      if (error.code === 'TICKBUS_DENIED' && this.#state === 'active') this.#enter('refused');
      if (this.#reportedCodes.has(error.code)) return;
      this.#reportedCodes.add(error.code);
      this.#options.onRefused(error);
    });
  }
}

/** The errors that the link itself reports. */
const LINK_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TICKBUS_NOT_CONNECTED',
  'TICKBUS_OUTCOME_UNKNOWN',
  'TICKBUS_CLOSED',
]);

function tooManyKeysError(total: number): TickbusError {
  return new TickbusError(
    'TICKBUS_LIMIT_EXCEEDED',
    `A subscriber can request at most ${MAX_SUBSCRIBER_KEYS} keys of a channel; this would make ${total}, so nothing ` +
      'is subscribed. Request fewer keys, or subscribe without `keys` and filter with `where`.',
    { field: 'keys' },
  );
}

function unexpectedError(cause: unknown): TickbusError {
  const text =
    'The keys could not be requested, so the gateway may not serve them. The request is retried every 5 s.';
  return new TickbusError('TICKBUS_SERVER_ERROR', text, { cause });
}

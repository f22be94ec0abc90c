// A lease that this process holds: renewals, and the end of its validity by the local clock.

import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Fence, FenceToken, LeaseOperations, Writer } from '../transport/port.ts';
import type { LeaseLost } from './lease-events.ts';
import type { CheckedTimes } from './lease-times.ts';
import type { OutageLog } from './outage-log.ts';

export interface HeldLeaseOptions {
  readonly token: FenceToken;
  readonly writer: Writer | undefined;
  readonly partitions: readonly Fence[] | undefined;
  /** When the acquisition was sent, by the monotonic clock. */
  readonly sentAt: number;
  readonly operations: LeaseOperations;
  readonly clock: Clock;
  readonly times: CheckedTimes;
  readonly outages: OutageLog;
  /** Called once, unless `end` is called first. */
  readonly onLost: (reason: LeaseLost['reason']) => void;
}

/**
 * The lease is valid for `ttlMs - marginMs` after the last successful acquisition or renewal was sent. After that it is
 * not valid, even if the timer that reports the loss runs late, as in a paused process.
 */
export class HeldLease {
  readonly token: FenceToken;
  readonly writer: Writer | undefined;
  /** See `Fence.partitions`. */
  readonly partitions: readonly Fence[] | undefined;
  readonly #options: HeldLeaseOptions;
  readonly #abort = new AbortController();
  #validUntil: number;
  #isEnded = false;
  #cancelRenewal: Unsubscribe = () => {};
  #cancelExpiry: Unsubscribe = () => {};

  constructor(options: HeldLeaseOptions) {
    this.token = options.token;
    this.writer = options.writer;
    this.partitions = options.partitions;
    this.#options = options;
    this.#validUntil = expiryOf(options.sentAt, options.times);
  }

  /** Aborted by `abort`. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isValid(): boolean {
    return !this.#isEnded && this.#options.clock.monotonic() < this.#validUntil;
  }

  /** Starts the timers. */
  start(): void {
    this.#watchExpiry();
    this.#scheduleRenewal(this.#options.sentAt);
  }

  /** Renews at once instead of at the scheduled time. */
  confirm(): void {
    this.#cancelRenewal();
    this.#renew();
  }

  /** Stops the timers and ends the writer. If a renewal in flight still succeeds, the lease is released. */
  end(): void {
    this.#isEnded = true;
    this.#cancelRenewal();
    this.#cancelExpiry();
    this.writer?.end();
    this.#options.operations.end?.();
  }

  abort(): void {
    this.#abort.abort();
  }

  #scheduleRenewal(sentAt: number): void {
    const { clock, times } = this.#options;
    this.#renewAfter(Math.max(0, sentAt + times.renewMs - clock.monotonic()));
  }

  #renewAfter(ms: number): void {
    this.#cancelRenewal();
    this.#cancelRenewal = this.#options.clock.after(ms, () => this.#renew());
  }

  #renew(): void {
    const { operations, clock, times, outages, onLost } = this.#options;
    if (this.#loseIfExpired()) return;
    const sentAt = clock.monotonic();
    operations.renew(this.token, times.ttlMs).then(
      (isOurs) => {
        // An ended or expired lease stays lost, because its users may have acted on the loss. If the server renewed it
        // nevertheless, it is released for the next candidate.
        if (this.#isEnded || this.#loseIfExpired())
          return isOurs ? giveBack(operations, this.token) : undefined;
        if (!isOurs) return onLost('taken');
        outages.end();
        this.#validUntil = expiryOf(sentAt, times);
        this.#watchExpiry();
        this.#scheduleRenewal(sentAt);
      },
      (error: unknown) => {
        if (this.#isEnded || this.#loseIfExpired()) return;
        outages.warnOnce('Lease renewal failed; retrying until the lease expires.', error);
        this.#renewAfter(times.retryMs);
      },
    );
  }

  /** Reports the loss when the lease expires. A timer can be early by less than a millisecond, so it checks again. */
  #watchExpiry(): void {
    const { clock } = this.#options;
    this.#cancelExpiry();
    const left = Math.max(1, this.#validUntil - clock.monotonic());
    this.#cancelExpiry = clock.after(left, () => {
      if (!this.#loseIfExpired()) this.#watchExpiry();
    });
  }

  #loseIfExpired(): boolean {
    const isExpired = this.#options.clock.monotonic() >= this.#validUntil;
    if (isExpired) this.#options.onLost('expired');
    return isExpired;
  }
}

/** When a lease that was requested at `sentAt` stops being valid, by the monotonic clock. */
export function expiryOf(sentAt: number, { ttlMs, marginMs }: CheckedTimes): number {
  return sentAt + ttlMs - marginMs;
}

/** Releases a lease that arrived too late to be used, so that the next candidate need not wait for its TTL. */
export async function giveBack(operations: LeaseOperations, token: FenceToken): Promise<void> {
  await operations.release(token).catch(() => {});
}

// The lease: elects one leader among many candidates. By the holder's clock it ends no later than by the server's.

import type { ChannelSpec } from '../channel/channel.ts';
import { conflictText, definitionConflict } from '../channel/definition.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { Emitter, type Unsubscribe } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import { checkListener } from '../runtime/option-checks.ts';
import { timeout } from '../runtime/timeout.ts';
import type { Fence, FenceToken, LeaseAttempt, LeaseOperations, Writer } from '../transport/port.ts';
import { expiryOf, giveBack, HeldLease } from './held-lease.ts';
import { LEASE_EVENTS, type LeaseEvents, type LeaseLost, type LeaseState } from './lease-events.ts';
import { type LeaseSettings, leaseOperations } from './lease-settings.ts';
import { type CheckedTimes, checkedTimes } from './lease-times.ts';
import { OutageLog } from './outage-log.ts';

/**
 * States:
 *
 * - `idle`: not started.
 * - `standby`: a candidate. Retries every `retryMs`, or when the holder's lease expires if that is earlier; after a
 *   permanent error, every `ttlMs`.
 * - `holding_off`: a candidate that waits for one TTL, because the server may have forgotten the last holder.
 * - `held`: until the `HeldLease` expires. `holds` is false from that moment, even if the state changes later.
 * - `released`: `release` was called. `start` makes it a candidate again.
 * - `closed`.
 *
 *     idle -> standby <-> holding_off;   either -> held -> standby;   any -> released -> standby;   any -> closed
 *
 * `#change` is the only place that changes the state. Every change increments `#term`. A reply to a request from an
 * older term has no effect, except that a lease granted too late is released.
 */
export class LeaseBase implements Fence, AsyncDisposable {
  readonly name: string;
  readonly channel: ChannelSpec | undefined;
  readonly #operations: LeaseOperations;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #outages: OutageLog;
  readonly #events: Emitter<LeaseEvents>;
  readonly #times: CheckedTimes;
  #state: LeaseState = 'idle';
  #term = 0;
  #held: HeldLease | undefined;
  /** The attempt in flight. */
  #attempt: Promise<void> = Promise.resolve();
  #starting: Promise<void> | undefined;
  #cancelRetry: Unsubscribe = () => {};
  readonly #unwatchLink: Unsubscribe;

  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for times that contradict each other */
  constructor(settings: LeaseSettings) {
    const { name, spec, isChannel, clock, logger, ...times } = settings;
    this.#times = checkedTimes(times);
    this.name = name;
    this.channel = isChannel ? spec : undefined;
    this.#operations = leaseOperations(settings, (partition) => new LeaseBase(partition));
    this.#clock = clock;
    this.#logger = logger;
    this.#outages = new OutageLog(logger, name);
    this.#events = new Emitter((err, event) => logger.error({ err, event }, 'A lease listener threw.'));
    // A new link may lead to another server, or to one that lost its data. Confirm at once: users of the lease must not
    // rely on a lost lease until the next scheduled renewal.
    this.#unwatchLink = this.#operations.onConnected(() => this.confirm());
  }

  get state(): LeaseState {
    return this.#state;
  }

  /**
   * Whether the lease is held now, by the monotonic clock. Becomes false as soon as the lease may have expired, before
   * any event reports it.
   */
  get holds(): boolean {
    return this.#held?.isValid ?? false;
  }

  /** The fence token while the lease is held. */
  get token(): FenceToken | undefined {
    return this.holds ? this.#held?.token : undefined;
  }

  /** The exclusive writer while the lease is held; undefined if only the token fences the channel. */
  get writer(): Writer | undefined {
    return this.holds ? this.#held?.writer : undefined;
  }

  /** See `Fence.partitions`. */
  get partitions(): readonly Fence[] | undefined {
    return this.#held?.partitions;
  }

  /** Why the last attempt to acquire or renew failed, as sentences; undefined if it succeeded or only has to wait. */
  get problem(): string | undefined {
    return this.#outages.problem;
  }

  /** Renews the lease at once, so that a loss is noticed at once. Does nothing while the lease is not held. */
  confirm(): void {
    this.#held?.confirm();
  }

  /** Returns a function that removes the listener. An error that it throws is logged and does not affect others. */
  on<K extends keyof LeaseEvents>(event: K, listener: (event: LeaseEvents[K]) => void): Unsubscribe {
    checkListener('A lease', event, listener, LEASE_EVENTS);
    return this.#events.on(event, listener);
  }

  /**
   * Connects and becomes a candidate, again after each loss. `gained` is emitted once the lease is held.
   *
   * @throws TickbusError such as `TICKBUS_CONNECT_FAILED`, `TICKBUS_AUTH_FAILED` or `TICKBUS_TLS_FAILED`, without
   *   retrying, with advice; `TICKBUS_CLOSED` after `close()`
   */
  async start(): Promise<void> {
    this.#assertOpen();
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  /**
   * Releases the lease, so that the next candidate gets it at once, and stops being a candidate. Finish all work under
   * the lease first: publishes that are still queued are refused. Never rejects, and takes `ttlMs` at most.
   *
   * @returns whether the server confirmed the release of a held lease; otherwise the lease expires with its TTL
   */
  release(): Promise<boolean> {
    return this.#leave('released');
  }

  /** Releases the lease and closes it for good. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#unwatchLink();
    await this.#leave('closed');
    this.#events.clear();
    await this.#operations.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    const term = this.#term;
    // An error of a link that still reconnects is ignored: `#tryAcquire` retries.
    await this.#operations.connect().catch((error: unknown) => {
      if (!isTransient(error)) throw error;
    });
    if (term !== this.#term || (this.#state !== 'idle' && this.#state !== 'released')) return;
    this.#enter('standby');
    this.#tryAcquire();
  }

  #tryAcquire(): void {
    const term = this.#term;
    this.#attempt = this.#acquire().then(
      ({ attempt, sentAt }) => {
        if (attempt.state === 'held') return this.#onGranted(attempt, sentAt, term);
        if (term === this.#term) this.#onNotGranted(attempt);
        return undefined;
      },
      (error: unknown) => {
        if (term !== this.#term) return;
        this.#outages.warnOnce('Lease acquisition failed; retrying.', error);
        this.#retryAfter(isTransient(error) ? this.#times.retryMs : this.#times.ttlMs);
      },
    );
  }

  /** `connect` also revives a link that has failed for good. */
  async #acquire(): Promise<{ attempt: LeaseAttempt; sentAt: number }> {
    await this.#operations.connect();
    const sentAt = this.#clock.monotonic();
    return { attempt: await this.#operations.acquire(this.#times.ttlMs), sentAt };
  }

  #onNotGranted(attempt: Exclude<LeaseAttempt, Grant>): void {
    const { state, leftMs } = attempt;
    if (state === 'barred') this.#outages.warnOnce(`The lease cannot be taken over. ${attempt.reason}`);
    else this.#outages.end();
    const waiting = state === 'holding_off' ? 'holding_off' : 'standby';
    if (waiting !== this.#state) this.#enter(waiting);
    // A listener may have released the lease. The extra millisecond covers rounding on the server.
    if (waiting === this.#state) this.#retryAfter(Math.min(this.#times.retryMs, leftMs + 1));
  }

  async #onGranted(
    { token, writer, partitions, reason, replaced }: Grant,
    sentAt: number,
    term: number,
  ): Promise<void> {
    if (term !== this.#term) return giveBack(this.#operations, token);
    if (this.#clock.monotonic() >= expiryOf(sentAt, this.#times)) {
      this.#retryAfter(this.#times.retryMs);
      return giveBack(this.#operations, token);
    }
    this.#outages.end();
    const held = new HeldLease({
      token,
      writer,
      partitions,
      sentAt,
      operations: this.#operations,
      clock: this.#clock,
      times: this.#times,
      outages: this.#outages,
      onLost: (lostBy) => this.#lose(held, lostBy),
    });
    const was = this.#change('held');
    this.#held = held;
    held.start();
    this.#logger.info({ lease: this.name, token }, 'Lease acquired.');
    if (reason !== undefined)
      this.#logger.warn({ lease: this.name }, `Only the fence token protects this lease. ${reason}`);
    this.#reportConflict(replaced, partitions?.length);
    this.#events.emit('gained', { token, signal: held.signal });
    if (this.#state === 'held') this.#events.emit('state', { state: 'held', was });
  }

  /** The definition of the channel's holder has replaced another one. Subscribers report it, too. */
  #reportConflict(replaced: string | undefined, partitions = 1): void {
    if (this.channel === undefined || replaced === undefined) return;
    const conflict = definitionConflict(this.channel, replaced, { isReader: false, partitions });
    if (conflict === undefined) return;
    const text = `Definition of the channel replaced. ${conflictText(conflict)}`;
    if (conflict.severity === 'error') this.#logger.error(conflict, text);
    else this.#logger.warn(conflict, text);
  }

  /** Emits `lost` before it does anything slower: users of the lease must stop within the margin. */
  #lose(held: HeldLease, reason: LeaseLost['reason']): void {
    const { token } = held;
    const was = this.#change('standby');
    // Scheduled before the listeners run: one of them may release the lease, which cancels the retry.
    this.#retryAfter(this.#times.retryMs);
    held.abort();
    this.#events.emit('lost', { token, reason });
    this.#logger.warn({ lease: this.name, token, reason }, 'Lease lost.');
    if (this.#state === 'standby') this.#events.emit('state', { state: 'standby', was });
  }

  async #leave(state: 'released' | 'closed'): Promise<boolean> {
    if (this.#state === 'closed') return false;
    const held = this.#held;
    const attempt = this.#attempt;
    this.#enter(state);
    held?.abort();
    const { promise: timedOut, cancel } = timeout(this.#clock, this.#times.ttlMs);
    // Waits for an attempt in flight: a lease that it still obtains is released, or it would outlive the process.
    const released = attempt
      .then(() => (held === undefined ? false : this.#operations.release(held.token)))
      .catch(() => false);
    const isConfirmed = await Promise.race([released, timedOut]);
    cancel();
    return isConfirmed === true;
  }

  #enter(state: LeaseState): void {
    const was = this.#change(state);
    this.#events.emit('state', { state, was });
  }

  /** Cancels all timers and makes requests in flight ineffective. */
  #change(state: LeaseState): LeaseState {
    const was = this.#state;
    const held = this.#held;
    this.#term++;
    this.#state = state;
    this.#held = undefined;
    this.#cancelRetry();
    held?.end();
    return was;
  }

  #retryAfter(ms: number): void {
    this.#cancelRetry();
    this.#cancelRetry = this.#clock.after(ms, () => this.#tryAcquire());
  }

  #assertOpen(): void {
    if (this.#state === 'closed')
      throw new TickbusError('TICKBUS_CLOSED', 'This lease was closed. Create a new one.');
  }
}

type Grant = Extract<LeaseAttempt, { state: 'held' }>;

/** True if the link is expected to reconnect, or if the server is busy, loading or out of memory. */
function isTransient(error: unknown): boolean {
  const code = error instanceof TickbusError ? error.code : undefined;
  return (
    code === 'TICKBUS_NOT_CONNECTED' || code === 'TICKBUS_OUTCOME_UNKNOWN' || code === 'TICKBUS_SERVER_ERROR'
  );
}

// The lease: the right of one among many to do a job, held by the holder's own clock and never longer than by the server's.

import type { ChannelSpec } from '../channel/channel.ts';
import { TickbusError } from '../errors.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import { Emitter } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import type {
  Fence,
  FenceToken,
  LeaseAttempt,
  LeaseOperations,
  Transport,
  Writer,
} from '../transport/port.ts';
import type { LeaseEvents, LeaseLost, LeaseState } from './lease-events.ts';
import { checkedTimes, type LeaseTimes } from './lease-times.ts';

export interface LeaseSettings extends LeaseTimes {
  readonly name: string;
  /** What the lease is called on the server. */
  readonly spec: ChannelSpec;
  /** Whether `spec` is a channel, whose publishes the lease then fences. */
  readonly isChannel: boolean;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * States:
 *
 * - `idle`: not started.
 * - `standby`: a candidate. Asks again and again, at the latest when the lease of the holder would end.
 * - `holding_off`: a candidate whom the server makes wait, because it may have forgotten the last holder.
 * - `held`: until `#heldUntil`, which counts from before the last renewal that succeeded was sent. Past it nothing is held,
 *   even while the state still says so: the timer that ends it may come late, in a process that was paused.
 * - `released`: given up, by `release`; `start` begins again.
 * - `closed`.
 *
 *     idle -> standby <-> holding_off -> held -> (lost) standby;   any -> released -> standby;   any -> closed
 *
 * `#enter` is the one place that changes the state. Every change begins a new `#term`; what was asked in an older one and is
 * answered now has no effect, but that a lease nobody waits for any more is given back.
 */
export class LeaseBase implements Fence, AsyncDisposable {
  readonly name: string;
  readonly channel: ChannelSpec | undefined;
  readonly #operations: LeaseOperations;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #events: Emitter<LeaseEvents>;
  readonly #ttlMs: number;
  readonly #marginMs: number;
  readonly #retryMs: number;
  #state: LeaseState = 'idle';
  #term = 0;
  #token: FenceToken | undefined;
  #writer: Writer | undefined;
  #heldUntil = Number.NEGATIVE_INFINITY;
  #abort = new AbortController();
  #asking: Promise<void> = Promise.resolve();
  #starting: Promise<void> | undefined;
  #isFailing = false;
  #cancelNext: Unsubscribe = () => {};
  #cancelDeadline: Unsubscribe = () => {};
  readonly #unwatchLink: Unsubscribe;

  /** @throws TickbusError `TICKBUS_INVALID_OPTION` for times that do not fit together */
  constructor({ name, spec, isChannel, transport, clock, logger, ...times }: LeaseSettings) {
    const { ttlMs, marginMs, retryMs } = checkedTimes(times);
    this.name = name;
    this.channel = isChannel ? spec : undefined;
    this.#operations = transport.lease(spec);
    this.#clock = clock;
    this.#logger = logger;
    this.#events = new Emitter((err, event) =>
      logger.error({ err, event }, 'A listener of the lease threw.'),
    );
    this.#ttlMs = ttlMs;
    this.#marginMs = marginMs;
    this.#retryMs = retryMs;
    // The server behind a new link may be another, or have forgotten: whatever relies on the lease must know before the next renewal.
    this.#unwatchLink = this.#operations.onConnected(() => this.confirm());
  }

  get state(): LeaseState {
    return this.#state;
  }

  /** Whether it is held at this instant, by the monotonic clock: false from the moment it may have passed on, before any event. */
  get holds(): boolean {
    return this.#state === 'held' && this.#clock.monotonic() < this.#heldUntil;
  }

  /** The fence token while the lease is held. */
  get token(): FenceToken | undefined {
    return this.holds ? this.#token : undefined;
  }

  /** What publishes under the lease while it is held; undefined where the token alone is the fence. */
  get writer(): Writer | undefined {
    return this.holds ? this.#writer : undefined;
  }

  /** Renews it at once, so that a lease that has been taken away is known to be lost. Does nothing while it is not held. */
  confirm(): void {
    if (this.#state !== 'held') return;
    this.#cancelNext();
    this.#renew();
  }

  /** Returns a function that stops listening. A listener that throws is contained and logged. */
  on<K extends keyof LeaseEvents>(event: K, listener: (event: LeaseEvents[K]) => void): Unsubscribe {
    return this.#events.on(event, listener);
  }

  /**
   * Connects and becomes a candidate; `gained` is told later. After a loss it goes on by itself.
   *
   * @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`, at once, saying what to try; `TICKBUS_CLOSED`
   */
  async start(): Promise<void> {
    this.#assertOpen();
    this.#starting ??= this.#start().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  /**
   * Gives the lease up, so that the next one gets it at once, and is no candidate any more. What was done under it must be done
   * before: publishes that still wait are refused. Never rejects and takes `ttlMs` at most.
   *
   * @returns whether the server confirmed that a held lease was given up; else it ends by its TTL
   */
  release(): Promise<boolean> {
    return this.#giveUp('released');
  }

  /** Releases it and ends. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#unwatchLink();
    await this.#giveUp('closed');
    this.#events.clear();
    await this.#operations.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    const term = this.#term;
    // A link that is being re-established is waited for as a candidate.
    await this.#operations.connect().catch((error: unknown) => {
      if (!isPassing(error)) throw error;
    });
    if (term !== this.#term || (this.#state !== 'idle' && this.#state !== 'released')) return;
    this.#enter('standby');
    this.#try();
  }

  // --- a candidate ---

  #try(): void {
    const term = this.#term;
    this.#asking = this.#ask().then(
      ({ attempt, sentAt }) => {
        if (attempt.state === 'held') return this.#granted(attempt, sentAt, term);
        if (term === this.#term) this.#wait(attempt);
        return undefined;
      },
      (error: unknown) => {
        if (term !== this.#term) return;
        this.#failed(error, 'The lease could not be asked for; trying again.');
        this.#next(isPassing(error) ? this.#retryMs : this.#ttlMs, () => this.#try());
      },
    );
  }

  #wait(attempt: Exclude<LeaseAttempt, { state: 'held' }>): void {
    const { state, leftMs } = attempt;
    if (state === 'barred') this.#barred(attempt.reason);
    else this.#isFailing = false;
    const waiting = state === 'holding_off' ? 'holding_off' : 'standby';
    if (waiting !== this.#state) this.#enter(waiting);
    // A listener may have released it. A millisecond more, as the server rounds.
    if (waiting === this.#state) this.#next(Math.min(this.#retryMs, leftMs + 1), () => this.#try());
  }

  #barred(reason: string): void {
    if (!this.#isFailing)
      this.#logger.warn({ lease: this.name }, `The lease cannot be taken over. ${reason}`);
    this.#isFailing = true;
  }

  /** A link that has failed for good is connected again, at the pace of a TTL. */
  async #ask(): Promise<{ attempt: LeaseAttempt; sentAt: number }> {
    await this.#operations.connect();
    const sentAt = this.#clock.monotonic();
    return { attempt: await this.#operations.acquire(this.#ttlMs), sentAt };
  }

  async #granted({ token, writer, reason }: Held, sentAt: number, term: number): Promise<void> {
    const heldUntil = this.#endOf(sentAt);
    if (term !== this.#term) return this.#giveBack(token);
    if (this.#clock.monotonic() >= heldUntil) {
      this.#next(this.#retryMs, () => this.#try());
      return this.#giveBack(token);
    }
    this.#isFailing = false;
    this.#token = token;
    this.#writer = writer;
    this.#heldUntil = heldUntil;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    const was = this.#change('held');
    this.#watchEnd();
    this.#renewAfter(sentAt);
    this.#logger.info({ lease: this.name, token }, 'The lease is held.');
    if (reason !== undefined)
      this.#logger.warn({ lease: this.name }, `The token is the only fence of this lease. ${reason}`);
    this.#events.emit('gained', { token, signal });
    if (this.#state === 'held') this.#events.emit('state', { state: 'held', was });
  }

  /** It came too late for us; the next one need not wait for its end. */
  async #giveBack(token: FenceToken): Promise<void> {
    await this.#operations.release(token).catch(() => {});
  }

  // --- the holder ---

  #renewAfter(sentAt: number): void {
    const due = sentAt + this.#ttlMs / 3 - this.#clock.monotonic();
    this.#next(Math.max(0, due), () => this.#renew());
  }

  #renew(): void {
    const [term, token] = [this.#term, this.#token];
    if (token === undefined || this.#endIfOver()) return;
    const sentAt = this.#clock.monotonic();
    this.#operations.renew(token, this.#ttlMs).then(
      (isOurs) => {
        // A lease that was over for a moment stays over: somebody may have relied on that. So the next one need not wait for it.
        if (term !== this.#term || this.#endIfOver()) return isOurs ? this.#giveBack(token) : undefined;
        if (!isOurs) return this.#lose('taken');
        this.#isFailing = false;
        this.#heldUntil = this.#endOf(sentAt);
        this.#watchEnd();
        this.#renewAfter(sentAt);
      },
      (error: unknown) => {
        if (term !== this.#term || this.#endIfOver()) return;
        this.#failed(error, 'The lease could not be renewed; trying again until it ends.');
        this.#next(this.#retryMs, () => this.#renew());
      },
    );
  }

  /** Timers can come early by less than a millisecond, and late by any time. */
  #watchEnd(): void {
    this.#cancelDeadline();
    const left = Math.max(1, this.#heldUntil - this.#clock.monotonic());
    this.#cancelDeadline = this.#clock.after(left, () => {
      if (!this.#endIfOver()) this.#watchEnd();
    });
  }

  #endIfOver(): boolean {
    const isOver = this.#clock.monotonic() >= this.#heldUntil;
    if (isOver) this.#lose('expired');
    return isOver;
  }

  /** `lost` is told before anything else is done: what stands on the lease is to be let go of within the margin. */
  #lose(reason: LeaseLost['reason']): void {
    const token = this.#token ?? 0;
    const was = this.#change('standby');
    // Before the listeners, who may release it.
    this.#next(this.#retryMs, () => this.#try());
    this.#abort.abort();
    this.#events.emit('lost', { token, reason });
    this.#logger.warn({ lease: this.name, token, reason }, 'The lease was lost.');
    if (this.#state === 'standby') this.#events.emit('state', { state: 'standby', was });
  }

  // --- all ---

  async #giveUp(state: 'released' | 'closed'): Promise<boolean> {
    if (this.#state === 'closed') return false;
    const token = this.#token;
    const asking = this.#asking;
    this.#enter(state);
    this.#abort.abort();
    const { promise: timedOut, cancel } = this.#timeout(this.#ttlMs);
    // What was asked for and is granted now is given back before this resolves, as it would outlive the process.
    const given = asking
      .then(() => (token === undefined ? false : this.#operations.release(token)))
      .catch(() => false);
    const isConfirmed = await Promise.race([given, timedOut]);
    cancel();
    return isConfirmed;
  }

  #timeout(ms: number): { promise: Promise<false>; cancel: Unsubscribe } {
    let cancel: Unsubscribe = () => {};
    const promise = new Promise<false>((resolve) => {
      cancel = this.#clock.after(ms, () => resolve(false));
    });
    return { promise, cancel };
  }

  #enter(state: LeaseState): void {
    const was = this.#change(state);
    this.#events.emit('state', { state, was });
  }

  /** The one place that changes the state; what was asked or timed before has no effect any more. */
  #change(state: LeaseState): LeaseState {
    const was = this.#state;
    this.#term++;
    this.#state = state;
    this.#cancelNext();
    this.#cancelDeadline();
    if (state !== 'held') {
      this.#token = undefined;
      this.#writer?.end();
      this.#writer = undefined;
      this.#heldUntil = Number.NEGATIVE_INFINITY;
    }
    return was;
  }

  #next(ms: number, action: () => void): void {
    this.#cancelNext();
    this.#cancelNext = this.#clock.after(ms, action);
  }

  #endOf(sentAt: number): number {
    return sentAt + this.#ttlMs - this.#marginMs;
  }

  /** Once an outage. */
  #failed(err: unknown, text: string): void {
    if (!this.#isFailing) this.#logger.warn({ lease: this.name, err }, text);
    this.#isFailing = true;
  }

  #assertOpen(): void {
    if (this.#state === 'closed')
      throw new TickbusError('TICKBUS_CLOSED', 'This lease was closed. Make a new one.');
  }
}

type Held = Extract<LeaseAttempt, { state: 'held' }>;

/** Of a link that is expected back by itself, or a server that is busy, loading or full. */
function isPassing(error: unknown): boolean {
  const code = error instanceof TickbusError ? error.code : undefined;
  return (
    code === 'TICKBUS_NOT_CONNECTED' || code === 'TICKBUS_OUTCOME_UNKNOWN' || code === 'TICKBUS_SERVER_ERROR'
  );
}

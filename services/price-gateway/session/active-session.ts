// One time of holding the lease: connects the feed, publishes what it hears, and tells how it is.

import { setTimeout as sleep } from 'node:timers/promises';
import type { MarketEvent } from '@tickbus/capture';
import type { FeedStatus, Logger } from 'tickbus';
import { InstrumentTracker } from '../demand/instrument-tracker.ts';
import type { SymbolDemand } from '../demand/symbol-demand.ts';
import type { Attempt, Feed, FeedState } from '../feeds/feed.ts';
import { backoffMs } from '../feeds/feed-backoff.ts';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import type { Counters } from '../monitoring/stats.ts';
import type { FeedPublisher } from '../prices/feed-publisher.ts';
import { type DropReason, PriceBook } from '../prices/price-book.ts';
import type { ConnectionBudget } from './connection-budget.ts';
import { FeedHealth } from './feed-health.ts';

/** Milliseconds, all of them. */
export interface SessionTimes {
  /** Between two heartbeats. Default a sixth of the lease: 500. */
  readonly statusIntervalMs: number;
  /** Without a frame, after which a live feed is told as `silent`. */
  readonly silentAfterMs: number;
  /** Without a frame, after which the connection is made anew; 0 for never. */
  readonly reconnectSilentMs: number;
  /** Before the first connection, so that the broker has freed the place of a gateway that died. */
  readonly brokerReleaseMs: number;
  /** Before the second try to connect; doubles with every failure. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
}

export interface ActiveSessionOptions {
  /** Not started yet; used up by this. */
  readonly feed: Feed;
  /** Of the lease. */
  readonly token: number;
  /** Who holds it, for the operator. */
  readonly holder: string;
  readonly publisher: FeedPublisher;
  readonly budget: ConnectionBudget;
  /** The instruments, kept up to date by the gateway. */
  readonly demand: SymbolDemand;
  /** The most instruments to ask the broker for. */
  readonly symbolLimit: number;
  readonly times: SessionTimes;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly warnings: RateLimitedLog;
}

/**
 * Phases: new -> running -> stopping -> stopped, in order; or -> cut, when the lease is lost. While running, what is told is
 * the feed's health; afterwards that it ends.
 */
export class ActiveSession {
  readonly #options: ActiveSessionOptions;
  readonly #book: PriceBook;
  readonly #instruments = new InstrumentTracker();
  readonly #health: FeedHealth;
  #phase: 'new' | 'running' | 'stopping' | 'stopped' | 'cut' = 'new';
  /** The wanted instruments as they were last asked for. */
  #requestedSymbols = '';
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(options: ActiveSessionOptions) {
    const { feed, times } = options;
    this.#options = options;
    this.#book = new PriceBook(feed.venue);
    this.#health = new FeedHealth({
      ...times,
      expectsFrames: () => this.#instruments.requestedCount > 0,
      onSilence: (sentence, hasEnded) => this.#onSilence(sentence, hasEnded),
      onProlongedSilence: (sentence) => feed.reconnect(sentence),
    });
  }

  get requestedInstruments(): number {
    return this.#instruments.requestedCount;
  }

  get refusedInstruments(): number {
    return this.#instruments.refusedCount;
  }

  /** Milliseconds since the broker's last frame. */
  get quietForMs(): number | undefined {
    return this.#health.quietForMs;
  }

  start(): void {
    const { feed, times } = this.#options;
    this.#phase = 'running';
    this.syncDemand();
    this.#heartbeat = setInterval(() => this.#publishStatus(), times.statusIntervalMs);
    this.#health.start();
    feed.start({
      mayConnect: (attempt, signal) => this.#mayConnect(attempt, signal),
      onFrame: (events) => this.#onFrame(events),
      onInvalidFrame: (reason) => this.#onInvalidFrame(reason),
      onState: (state) => this.#onState(state),
      onSubscribed: (symbols) => {
        this.#instruments.acknowledge(symbols);
        this.#publishInstrumentChanges();
      },
      onRefused: (refusal) => {
        this.#instruments.refuse(refusal);
        this.#publishInstrumentChanges();
      },
    });
    this.#publishStatus();
  }

  /** The wanted instruments may have changed. */
  syncDemand(): void {
    const { feed, demand, symbolLimit } = this.#options;
    const symbols = demand.list();
    const asked = symbols.join();
    if (asked !== this.#requestedSymbols) {
      this.#requestedSymbols = asked;
      feed.setSymbols(this.#instruments.setRequested(symbols, symbolLimit));
    }
    this.#publishInstrumentChanges();
  }

  /**
   * The order is the promise: nothing of the feed comes after `stopped`. So the feed is closed first, without waiting for
   * Redis, which may be why the gateway stops; then every price is settled; then the last word is said.
   */
  async stop(): Promise<void> {
    if (this.#phase !== 'running') return;
    this.#endPhase('stopping');
    this.#publishStatus();
    await this.#options.feed.close();
    await this.#options.publisher.settled();
    if (this.#isAborted) return;
    this.#endPhase('stopped');
    this.#publishStatus();
    await this.#options.publisher.settled();
  }

  /** The lease is lost: the socket is cut in this very turn, and nothing more is told. */
  async abort(): Promise<void> {
    this.#endPhase('cut');
    await this.#options.feed.close(0);
  }

  get #isAborted(): boolean {
    return this.#phase === 'cut';
  }

  get status(): FeedStatus {
    const { feed, token, holder, times } = this.#options;
    return {
      feed: feed.name,
      ...this.#health.describe(),
      ...(this.#phase === 'stopping' && { state: 'stopping' as const }),
      ...((this.#phase === 'stopped' || this.#phase === 'cut') && { state: 'stopped' as const }),
      instruments: this.#instruments.requestedCount - this.#instruments.refusedCount,
      lease: token,
      holder,
      interval_ms: times.statusIntervalMs,
    };
  }

  #endPhase(phase: 'stopping' | 'stopped' | 'cut'): void {
    this.#phase = phase;
    clearInterval(this.#heartbeat);
    this.#health.stop();
  }

  /** Backs off after a failure, then takes from the budget that all gateways share. */
  async #mayConnect({ failures, after, isExtra }: Attempt, signal: AbortSignal): Promise<void> {
    const { budget, counters, times } = this.#options;
    if (isExtra) {
      await budget.take(signal, () => {});
      counters.attempts++;
      return;
    }
    const wait = after === undefined ? times.brokerReleaseMs : backoffMs(failures, times);
    if (after !== undefined) this.#reportRetry(after.reason, wait);
    await sleep(wait, undefined, { signal });
    await budget.take(signal, (ms, reason) =>
      this.#reportRetry(reason ?? after?.reason ?? 'Too many connections were tried of late.', ms),
    );
    counters.attempts++;
  }

  #reportRetry(reason: string, retryInMs: number): void {
    const { feed, logger } = this.#options;
    const { state } = this.#health;
    const code = state.type === 'down' ? state.code : undefined;
    const detail = `${reason} Next try in ${Math.round(retryInMs)} ms.`;
    this.#health.detail = detail;
    logger.warn({ feed: feed.name, code, retryInMs: Math.round(retryInMs) }, detail);
    this.#publishStatus();
  }

  #onState(state: FeedState): void {
    const { feed, counters, logger } = this.#options;
    if (this.#phase !== 'running') return;
    this.#health.setState(state);
    if (state.type !== 'live') this.#instruments.disconnect();
    if (state.type !== 'down') {
      logger.info({ feed: feed.name }, `The feed is ${state.type}.`);
      return this.#publishStatus();
    }
    counters.countBrokerError(state.code);
    // Where it is tried again, that is told with the time of the next try, in this same turn.
    if (state.retryable) return;
    const detail = `${state.reason} It is not tried again.`;
    this.#health.detail = detail;
    logger.error({ feed: feed.name, code: state.code }, detail);
    this.#publishStatus();
  }

  #onFrame(events: readonly MarketEvent[]): void {
    const { counters, publisher } = this.#options;
    counters.frames++;
    counters.events += events.length;
    this.#health.onFrame();
    for (const event of events) {
      const price = this.#book.apply(event);
      if (typeof price === 'string') this.#drop(price, event);
      else publisher.publishPrice(price);
    }
  }

  #drop(why: DropReason, { kind, symbol }: MarketEvent): void {
    this.#options.counters.dropped[why]++;
    if (why === 'invalid')
      this.#options.warnings.warn(why, { kind, symbol }, 'An event with broken values was dropped.');
  }

  #onInvalidFrame(reason: string): void {
    const { counters, warnings } = this.#options;
    counters.invalidFrames++;
    warnings.warn('frame', { reason }, 'A frame of the broker could not be read and was dropped.');
  }

  #onSilence(sentence: string, hasEnded: boolean): void {
    const { feed, logger } = this.#options;
    logger[hasEnded ? 'info' : 'warn']({ feed: feed.name }, sentence);
    this.#publishStatus();
  }

  #publishStatus(): void {
    this.#options.publisher.publishFeedStatus(this.status);
  }

  #publishInstrumentChanges(): void {
    const { feed, publisher, token, demand } = this.#options;
    if (this.#phase !== 'running') return;
    for (const news of this.#instruments.takeChanges(demand.requestedByBots()))
      publisher.publishInstrumentStatus({ ...news, feed: feed.name, lease: token });
  }
}

// Runs the feed while the gateway holds the lease: publishes its prices, its status and the status of each instrument.

import type { Clock, FeedStatus, InstrumentStatus, Logger, PriceChannel } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { InstrumentTracker } from '../demand/instrument-tracker.ts';
import type { SymbolDemand } from '../demand/symbol-demand.ts';
import type { Feed, FeedEvent, FeedState } from '../feeds/feed.ts';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import type { Counters } from '../monitoring/stats.ts';
import type { FeedPublisher } from '../prices/feed-publisher.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { SessionTrades } from '../trades/session-trades.ts';
import type { ConnectionBudget } from './connection-budget.ts';
import { ConnectionPermits } from './connection-permits.ts';
import { FeedEvents } from './feed-events.ts';
import { identityOf } from './feed-guard.ts';
import { FeedHealth } from './feed-health.ts';
import { InstrumentPublisher } from './instrument-publisher.ts';
import type { SessionTimes } from './session-times.ts';

export interface ActiveSessionOptions {
  /** Must not be started yet. The session starts and closes it. */
  readonly feed: Feed;
  /** The channel of the prices. */
  readonly channel: PriceChannel;
  /** Fencing token of the lease. */
  readonly token: number;
  /** Name of the lease holder, for the operator. */
  readonly holder: string;
  readonly publisher: FeedPublisher;
  /** Must be new. */
  readonly book: PriceBook;
  /** Publishes trades; undefined if they are switched off. The session ends it. */
  readonly trades?: SessionTrades | undefined;
  readonly budget: ConnectionBudget;
  /** The symbols to request, kept up to date by the gateway. */
  readonly demand: SymbolDemand;
  /** Maximum number of instruments to request from the broker. */
  readonly symbolLimit: number;
  readonly times: SessionTimes;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly warnings: RateLimitedLog;
}

/**
 * Phases: new -> running -> stopping -> stopped; any -> aborted, when the lease is lost. While running, the published
 * status is the feed's health; afterwards it is `stopping` or `stopped`.
 */
export class ActiveSession {
  readonly #options: ActiveSessionOptions;
  readonly #instruments: InstrumentTracker;
  readonly #statuses: InstrumentPublisher;
  readonly #events: FeedEvents;
  readonly #health: FeedHealth;
  readonly #permits: ConnectionPermits;
  #phase: 'new' | 'running' | 'stopping' | 'stopped' | 'aborted' = 'new';
  /** No status replaces one of an earlier gateway before it is known: that one may be a halt. */
  #hasInherited = false;
  /** The symbols of the last request to the feed, joined by commas. */
  #requestedSymbols = '';
  /** The version of the demand at the last request. */
  #demandVersion: number | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(options: ActiveSessionOptions) {
    const { feed, times } = options;
    this.#options = options;
    this.#instruments = new InstrumentTracker(options.clock, () => options.book.venueNow);
    this.#statuses = new InstrumentPublisher({
      ...options,
      instruments: this.#instruments,
      about: { ...this.#channel, feed: feed.name, lease: options.token },
      isRunning: () => this.#phase === 'running' && this.#hasInherited,
    });
    this.#events = new FeedEvents({
      ...options,
      instruments: this.#instruments,
      onStatusChange: () => this.#statuses.publishChanges(),
      onUnderstood: (symbol) => this.#health.onUnderstood(symbol),
      onInvalid: (reason, symbols) => this.#health.onInvalid(reason, symbols),
    });
    this.#permits = new ConnectionPermits({
      ...options,
      feed: feed.name,
      onRetry: (reason, retryInMs) => this.#reportRetry(reason, retryInMs),
    });
    this.#health = new FeedHealth({
      ...times,
      requestedCount: () => this.#instruments.requestedCount,
      onChange: (reason, hasEnded) => this.#onHealthChange(reason, hasEnded),
      onProlongedSilence: (reason) => feed.reconnect(reason),
      onDropped: (symbols) => {
        this.#instruments.setUnreadable(symbols);
        this.#statuses.publishChanges();
      },
    });
  }

  get requestedInstruments(): number {
    return this.#instruments.requestedCount;
  }

  get refusedInstruments(): number {
    return this.#instruments.refusedCount;
  }

  /** See `FeedPublisher.problem`. */
  get publishProblem(): string | undefined {
    return this.#options.publisher.problem;
  }

  /** Milliseconds since the broker's last frame; undefined before the first. */
  get quietForMs(): number | undefined {
    return this.#health.quietForMs;
  }

  start(): void {
    const { feed, times } = this.#options;
    this.#phase = 'running';
    this.syncDemand();
    this.#heartbeat = setInterval(() => {
      this.#health.check();
      this.#events.endBands();
      this.#statuses.publishMissing();
      this.#publishStatus();
    }, times.statusIntervalMs);
    this.#health.start();
    feed.start({
      mayConnect: (attempt, signal) => this.#permits.request(attempt, signal),
      onFrame: (events) => this.#onFrame(events),
      onHeartbeat: () => {
        this.#options.counters.frames++;
        this.#health.onHeartbeat();
      },
      onUnrequested: (events, example) => this.#events.drop('unrequested', events, example),
      onInvalidFrame: (reason, symbols) => this.#onInvalidFrame(reason, symbols),
      onState: (state) => this.#onState(state),
      onRecordingBegins: () => this.#events.forgetAll(),
      onSubscribed: (symbols) => {
        this.#instruments.acknowledge(symbols);
        this.#options.trades?.acknowledge(symbols);
        this.#statuses.publishChanges();
      },
      onRefused: (refusal) => {
        this.#instruments.refuse(refusal);
        this.#statuses.publishChanges();
      },
    });
    this.#publishStatus();
  }

  /** Requests the current symbols from the feed if they changed, and publishes changes of instrument status. */
  syncDemand(): void {
    const { feed, demand, trades, symbolLimit } = this.#options;
    trades?.sync();
    if (demand.version === this.#demandVersion) return;
    this.#demandVersion = demand.version;
    const symbols = demand.list();
    // Without `*`, the requested symbols already include those of bots.
    this.#instruments.setOfBots(symbols.includes('*') ? demand.requestedByBots() : []);
    const joined = symbols.join();
    if (joined !== this.#requestedSymbols) {
      this.#requestedSymbols = joined;
      const requested = this.#instruments.setRequested(symbols, symbolLimit);
      feed.setSymbols(requested);
      if (!requested.includes('*')) this.#events.retain(new Set(requested));
    }
    this.#statuses.publishChanges();
  }

  /**
   * Must be called once. Takes over the statuses of an earlier gateway. Symbols that nobody requests are reported as
   * `unsubscribed`.
   */
  inherit(statuses: readonly InstrumentStatus[]): void {
    this.#options.book.inherit(statuses);
    this.#instruments.inherit(statuses);
    this.#hasInherited = true;
    this.#statuses.publishChanges();
  }

  /**
   * Closes the feed first, without waiting for Redis, because an unreachable Redis may be why the gateway stops. Then
   * waits for every publish in flight. Publishes `stopped` last, so that no other message of the feed follows it.
   */
  async stop(): Promise<void> {
    if (this.#phase !== 'running') return;
    this.#endPhase('stopping');
    this.#publishStatus();
    await this.#options.feed.close();
    await Promise.all([this.#options.publisher.settled(), this.#options.trades?.stop()]);
    if (this.#isAborted) return;
    this.#endPhase('stopped');
    this.#publishStatus();
    await this.#options.publisher.settled();
  }

  /** The lease is lost: cuts the socket synchronously and publishes nothing more. */
  async abort(): Promise<void> {
    this.#endPhase('aborted');
    void this.#options.trades?.abort();
    await this.#options.feed.close(0);
  }

  /** Statuses for PRICE_DATA name no channel, as those of earlier versions. */
  get #channel(): { readonly channel?: string } {
    const { name } = this.#options.channel;
    return name === CHANNELS.PRICE_DATA.name ? {} : { channel: name };
  }

  get #isAborted(): boolean {
    return this.#phase === 'aborted';
  }

  get status(): FeedStatus {
    const { feed, token, holder, times, demand } = this.#options;
    const { problem } = demand;
    return {
      ...identityOf(feed),
      ...this.#channel,
      ...(problem !== undefined && { detail: problem }),
      ...this.#health.describe(),
      ...(this.#phase === 'stopping' && { state: 'stopping' as const }),
      ...((this.#phase === 'stopped' || this.#phase === 'aborted') && { state: 'stopped' as const }),
      instruments: this.#instruments.requestedCount - this.#instruments.refusedCount,
      lease: token,
      holder,
      interval_ms: times.statusIntervalMs,
      ...(!demand.includesAll && { reports_instruments: true }),
    };
  }

  #endPhase(phase: 'stopping' | 'stopped' | 'aborted'): void {
    this.#phase = phase;
    clearInterval(this.#heartbeat);
    this.#health.stop();
  }

  #reportRetry(reason: string, retryInMs: number): void {
    const { feed, logger } = this.#options;
    const { state } = this.#health;
    const code = state.type === 'down' ? state.code : undefined;
    const detail = `${reason} Retrying in ${Math.round(retryInMs)} ms.`;
    this.#health.detail = detail;
    logger.warn({ feed: feed.name, code, retryInMs: Math.round(retryInMs) }, detail);
    this.#publishStatus();
  }

  #onState(state: FeedState): void {
    const { feed, counters, logger } = this.#options;
    if (this.#phase !== 'running') return;
    this.#health.setState(state);
    if (state.type !== 'live') {
      this.#instruments.disconnect();
      this.#events.interrupt();
    }
    if (state.type !== 'down') {
      logger.info({ feed: feed.name }, `The feed is ${state.type}.`);
      return this.#publishStatus();
    }
    counters.countBrokerError(state.code);
    // `#reportRetry` reports a retryable failure in the same turn of the event loop, because it knows the delay.
    if (state.retryable) return;
    const detail = `${state.reason} Not retrying.`;
    this.#health.detail = detail;
    logger.error({ feed: feed.name, code: state.code }, detail);
    this.#publishStatus();
  }

  #onFrame(events: readonly FeedEvent[]): void {
    const { counters } = this.#options;
    counters.frames++;
    counters.events += events.length;
    this.#health.onFrame();
    this.#events.apply(events);
  }

  #onInvalidFrame(reason: string, symbols?: readonly string[]): void {
    const { counters, warnings } = this.#options;
    counters.invalidFrames++;
    this.#health.onInvalid(reason, symbols);
    warnings.warn('frame', { reason }, 'Dropped a frame of the broker that cannot be understood.');
  }

  #onHealthChange(reason: string, hasEnded: boolean): void {
    const { feed, logger } = this.#options;
    logger[hasEnded ? 'info' : 'warn']({ feed: feed.name }, reason);
    this.#publishStatus();
  }

  #publishStatus(): void {
    this.#options.publisher.publishFeedStatus(this.status);
  }
}

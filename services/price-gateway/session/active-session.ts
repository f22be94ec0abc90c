// One time of holding the lease: connects the feed, publishes what it hears, and tells how it is.

import { setTimeout as sleep } from 'node:timers/promises';
import type { MarketEvent } from '@tickbus/capture';
import type { FeedStatus, Logger } from 'tickbus';
import { Instruments } from '../demand/instruments.ts';
import type { SymbolDemand } from '../demand/symbol-demand.ts';
import type { Attempt, Feed, FeedState } from '../feeds/feed.ts';
import { backoffMs } from '../feeds/feed-backoff.ts';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import type { Counters } from '../monitoring/stats.ts';
import type { FeedPublisher } from '../prices/feed-publisher.ts';
import { PriceBook, type Unusable } from '../prices/tick.ts';
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
  readonly outbox: FeedPublisher;
  readonly budget: ConnectionBudget;
  /** The instruments, kept up to date by the gateway. */
  readonly wanted: SymbolDemand;
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
  readonly #instruments = new Instruments();
  readonly #health: FeedHealth;
  #phase: 'new' | 'running' | 'stopping' | 'stopped' | 'cut' = 'new';
  /** The wanted instruments as they were last asked for. */
  #asked = '';
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(options: ActiveSessionOptions) {
    const { feed, times } = options;
    this.#options = options;
    this.#book = new PriceBook(feed.venue);
    this.#health = new FeedHealth({
      ...times,
      expectsFrames: () => this.#instruments.wanted > 0,
      onSilence: (sentence, hasEnded) => this.#onSilence(sentence, hasEnded),
      onEndlessSilence: (sentence) => feed.renew(sentence),
    });
  }

  get wantedInstruments(): number {
    return this.#instruments.wanted;
  }

  get refusedInstruments(): number {
    return this.#instruments.refused;
  }

  /** Milliseconds since the broker's last frame. */
  get quietForMs(): number | undefined {
    return this.#health.quietForMs;
  }

  start(): void {
    const { feed, times } = this.#options;
    this.#phase = 'running';
    this.want();
    this.#heartbeat = setInterval(() => this.#tellStatus(), times.statusIntervalMs);
    this.#health.start();
    feed.start({
      mayConnect: (attempt, signal) => this.#mayConnect(attempt, signal),
      onFrame: (events) => this.#onFrame(events),
      onInvalidFrame: (reason) => this.#onInvalidFrame(reason),
      onState: (state) => this.#onState(state),
      onSubscribed: (symbols) => {
        this.#instruments.acknowledge(symbols);
        this.#tellInstruments();
      },
      onRefused: (refusal) => {
        this.#instruments.refuse(refusal);
        this.#tellInstruments();
      },
    });
    this.#tellStatus();
  }

  /** The wanted instruments may have changed. */
  want(): void {
    const { feed, wanted, symbolLimit } = this.#options;
    const symbols = wanted.list();
    const asked = symbols.join();
    if (asked !== this.#asked) {
      this.#asked = asked;
      feed.setSymbols(this.#instruments.want(symbols, symbolLimit));
    }
    this.#tellInstruments();
  }

  /**
   * The order is the promise: nothing of the feed comes after `stopped`. So the feed is closed first, without waiting for
   * Redis, which may be why the gateway stops; then every price is settled; then the last word is said.
   */
  async stop(): Promise<void> {
    if (this.#phase !== 'running') return;
    this.#enter('stopping');
    this.#tellStatus();
    await this.#options.feed.close();
    await this.#options.outbox.settled();
    if (this.#isCut) return;
    this.#enter('stopped');
    this.#tellStatus();
    await this.#options.outbox.settled();
  }

  /** The lease is lost: the socket is cut in this very turn, and nothing more is told. */
  async cut(): Promise<void> {
    this.#enter('cut');
    await this.#options.feed.close(0);
  }

  get #isCut(): boolean {
    return this.#phase === 'cut';
  }

  get status(): FeedStatus {
    const { feed, token, holder, times } = this.#options;
    return {
      feed: feed.name,
      ...this.#health.describe(),
      ...(this.#phase === 'stopping' && { state: 'stopping' as const }),
      ...((this.#phase === 'stopped' || this.#phase === 'cut') && { state: 'stopped' as const }),
      instruments: this.#instruments.wanted - this.#instruments.refused,
      lease: token,
      holder,
      interval_ms: times.statusIntervalMs,
    };
  }

  #enter(phase: 'stopping' | 'stopped' | 'cut'): void {
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
    if (after !== undefined) this.#tellDown(after.reason, wait);
    await sleep(wait, undefined, { signal });
    await budget.take(signal, (ms, reason) =>
      this.#tellDown(reason ?? after?.reason ?? 'Too many connections were tried of late.', ms),
    );
    counters.attempts++;
  }

  #tellDown(reason: string, retryInMs: number): void {
    const { feed, logger } = this.#options;
    const { state } = this.#health;
    const code = state.type === 'down' ? state.code : undefined;
    const detail = `${reason} Next try in ${Math.round(retryInMs)} ms.`;
    this.#health.detail = detail;
    logger.warn({ feed: feed.name, code, retryInMs: Math.round(retryInMs) }, detail);
    this.#tellStatus();
  }

  #onState(state: FeedState): void {
    const { feed, counters, logger } = this.#options;
    if (this.#phase !== 'running') return;
    this.#health.enter(state);
    if (state.type !== 'live') this.#instruments.disconnect();
    if (state.type !== 'down') {
      logger.info({ feed: feed.name }, `The feed is ${state.type}.`);
      return this.#tellStatus();
    }
    counters.brokerError(state.code);
    // Where it is tried again, that is told with the time of the next try, in this same turn.
    if (state.retryable) return;
    const detail = `${state.reason} It is not tried again.`;
    this.#health.detail = detail;
    logger.error({ feed: feed.name, code: state.code }, detail);
    this.#tellStatus();
  }

  #onFrame(events: readonly MarketEvent[]): void {
    const { counters, outbox } = this.#options;
    counters.frames++;
    counters.events += events.length;
    this.#health.onFrame();
    for (const event of events) {
      const price = this.#book.apply(event);
      if (typeof price === 'string') this.#drop(price, event);
      else outbox.price(price);
    }
  }

  #drop(why: Unusable, { kind, symbol }: MarketEvent): void {
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
    this.#tellStatus();
  }

  #tellStatus(): void {
    this.#options.outbox.feedStatus(this.status);
  }

  #tellInstruments(): void {
    const { feed, outbox, token, wanted } = this.#options;
    if (this.#phase !== 'running') return;
    for (const news of this.#instruments.news(wanted.askedFor()))
      outbox.instrumentStatus({ ...news, feed: feed.name, lease: token });
  }
}

// One time of holding the lease: connects the feed, publishes what it hears, and tells how it is.

import { setTimeout as sleep } from 'node:timers/promises';
import type { MarketEvent } from '@tickbus/capture';
import type { FeedStatus, Logger } from 'tickbus';
import type { ConnectionBudget } from './connection-budget.ts';
import { backoffMs } from './feeds/backoff.ts';
import type { Attempt, Feed, FeedState } from './feeds/feed.ts';
import { Instruments } from './instruments.ts';
import type { Outbox } from './outbox.ts';
import type { RateLimitedLog } from './rate-limited-log.ts';
import { Silence } from './silence.ts';
import type { Counters } from './stats.ts';
import { PriceBook, type Unusable } from './tick.ts';
import type { Wanted } from './wanted.ts';

/** Milliseconds, all of them. */
export interface TenureTimes {
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

export interface TenureOptions {
  /** Not started yet; used up by this. */
  readonly feed: Feed;
  /** Of the lease. */
  readonly token: number;
  /** Who holds it, for the operator. */
  readonly holder: string;
  readonly outbox: Outbox;
  readonly budget: ConnectionBudget;
  /** The instruments, kept up to date by the gateway. */
  readonly wanted: Wanted;
  /** The most instruments to ask the broker for. */
  readonly symbolLimit: number;
  readonly times: TenureTimes;
  readonly counters: Counters;
  readonly logger: Logger;
  readonly warnings: RateLimitedLog;
}

/**
 * Phases: new -> running -> stopping -> stopped, in order; or -> cut, when the lease is lost. While running, what is told is the feed's own
 * state, but `silent` for a live feed that says nothing.
 */
export class Tenure {
  readonly #options: TenureOptions;
  readonly #book: PriceBook;
  readonly #instruments = new Instruments();
  readonly #silence: Silence;
  readonly #endlessSilence: Silence | undefined;
  #phase: 'new' | 'running' | 'stopping' | 'stopped' | 'cut' = 'new';
  #feedState: FeedState = { type: 'connecting' };
  #detail: string | undefined;
  #isSilent = false;
  /** Monotonic times; undefined before the first frame, and while the feed is not live. */
  #lastFrame: { readonly at: number; readonly unixMs: number } | undefined;
  #liveSince: number | undefined;
  #asked = '';
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(options: TenureOptions) {
    const { feed, times } = options;
    this.#options = options;
    this.#book = new PriceBook(feed.venue);
    this.#silence = new Silence(times.silentAfterMs, () => this.#onSilence());
    if (times.reconnectSilentMs > 0)
      this.#endlessSilence = new Silence(times.reconnectSilentMs, () => this.#renew());
  }

  get wantedInstruments(): number {
    return this.#instruments.wanted;
  }

  get refusedInstruments(): number {
    return this.#instruments.refused;
  }

  /** Milliseconds since the broker's last frame. */
  get quietForMs(): number | undefined {
    return this.#lastFrame && performance.now() - this.#lastFrame.at;
  }

  start(): void {
    const { feed, times } = this.#options;
    this.#phase = 'running';
    this.want();
    this.#heartbeat = setInterval(() => this.#tellStatus(), times.statusIntervalMs);
    this.#silence.start();
    this.#endlessSilence?.start();
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
    const now = performance.now();
    const { feed, token, holder, times } = this.#options;
    return {
      feed: feed.name,
      state: this.#stateName(),
      ...(this.#detail !== undefined && { detail: this.#detail }),
      instruments: this.#instruments.wanted - this.#instruments.refused,
      lease: token,
      holder,
      interval_ms: times.statusIntervalMs,
      ...(this.#lastFrame && {
        last_frame_at: this.#lastFrame.unixMs,
        last_frame_ago_ms: now - this.#lastFrame.at,
      }),
      ...(this.#liveSince !== undefined && { live_for_ms: now - this.#liveSince }),
    };
  }

  #enter(phase: 'stopping' | 'stopped' | 'cut'): void {
    this.#phase = phase;
    this.#detail = undefined;
    this.#liveSince = undefined;
    clearInterval(this.#heartbeat);
    this.#silence.stop();
    this.#endlessSilence?.stop();
  }

  #stateName(): FeedStatus['state'] {
    if (this.#phase === 'stopping') return 'stopping';
    if (this.#phase === 'stopped' || this.#phase === 'cut') return 'stopped';
    return this.#feedState.type === 'live' && this.#isSilent ? 'silent' : this.#feedState.type;
  }

  /** Backs off after a failure, then takes from the budget that all gateways share. */
  async #mayConnect({ failures, after }: Attempt, signal: AbortSignal): Promise<void> {
    const { budget, counters, times } = this.#options;
    const wait = after === undefined ? times.brokerReleaseMs : backoffMs(failures, times);
    if (after !== undefined) this.#tellDown(after.reason, wait);
    await sleep(wait, undefined, { signal });
    await budget.take(signal, (ms) =>
      this.#tellDown(after?.reason ?? 'Too many connections were tried of late.', ms),
    );
    counters.attempts++;
  }

  #tellDown(reason: string, retryInMs: number): void {
    const { feed, logger } = this.#options;
    const code = this.#feedState.type === 'down' ? this.#feedState.code : undefined;
    this.#detail = `${reason} Next try in ${Math.round(retryInMs)} ms.`;
    logger.warn({ feed: feed.name, code, retryInMs: Math.round(retryInMs) }, this.#detail);
    this.#tellStatus();
  }

  #onState(state: FeedState): void {
    const { feed, counters, logger } = this.#options;
    if (this.#phase !== 'running') return;
    this.#feedState = state;
    this.#isSilent = false;
    this.#silence.heard();
    this.#endlessSilence?.heard();
    this.#detail = undefined;
    this.#liveSince = state.type === 'live' ? performance.now() : undefined;
    if (state.type !== 'live') this.#instruments.disconnect();
    if (state.type !== 'down') {
      logger.info({ feed: feed.name }, `The feed is ${state.type}.`);
      return this.#tellStatus();
    }
    counters.brokerError(state.code);
    // Where it is tried again, that is told with the time of the next try, in this same turn.
    if (state.retryable) return;
    this.#detail = `${state.reason} It is not tried again.`;
    logger.error({ feed: feed.name, code: state.code }, this.#detail);
    this.#tellStatus();
  }

  #onFrame(events: readonly MarketEvent[]): void {
    const { counters, outbox } = this.#options;
    counters.frames++;
    counters.events += events.length;
    this.#lastFrame = { at: performance.now(), unixMs: Date.now() };
    this.#silence.heard();
    this.#endlessSilence?.heard();
    if (this.#isSilent) this.#onSpeaking();
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

  /** Without instruments nothing need ever come. */
  #onSilence(): void {
    if (this.#feedState.type !== 'live' || this.#isSilent || this.#instruments.wanted === 0) return;
    this.#isSilent = true;
    this.#liveSince = undefined;
    const { feed, logger, times } = this.#options;
    this.#detail = `No frame has come for ${times.silentAfterMs} ms.`;
    logger.warn({ feed: feed.name }, `The feed is silent. ${this.#detail}`);
    this.#tellStatus();
  }

  /** What it did not say meanwhile may be missing, so it counts as live from now on. */
  #onSpeaking(): void {
    this.#isSilent = false;
    this.#detail = undefined;
    this.#liveSince = performance.now();
    this.#options.logger.info({ feed: this.#options.feed.name }, 'The feed speaks again.');
    this.#tellStatus();
  }

  #renew(): void {
    const { feed, times } = this.#options;
    if (this.#feedState.type === 'live' && this.#instruments.wanted > 0)
      feed.renew(`No frame has come for ${times.reconnectSilentMs} ms.`);
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

// The gateway: publishes what one feed hears on PRICE_DATA, and how the feed is on FEED_STATUS.

import type { MarketEvent } from '@tickbus/capture';
import { type FeedStatus, type Logger, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';
import { createBackoff } from './feeds/backoff.ts';
import type { Feed, FeedListener, FeedState, Refusal } from './feeds/feed.ts';
import { RateLimitedLog } from './rate-limited-log.ts';
import { PriceBook, type Unusable } from './tick.ts';

export interface GatewayOptions {
  /** Started and closed by the gateway. */
  readonly feed: Feed;
  /** The instruments that are wanted; `*` is all of them, where the broker has that. */
  readonly symbols: readonly string[];
  /** When the feed may connect. Default: after a wait that doubles with every failure, from 1 s to 60 s. */
  readonly mayConnect?: FeedListener['mayConnect'];
  /** Connected and closed by the gateway. */
  readonly publisher: RedisPublisher;
  /** pino fits as it is. */
  readonly logger: Logger;
  /** Milliseconds between two tellings of the feed's status. Default 1,000. */
  readonly statusIntervalMs?: number;
  /** Milliseconds without a frame after which a live feed is told as `silent`. Default 15,000. */
  readonly silentAfterMs?: number;
}

/** Counted since the start. */
export interface GatewayStats {
  /** Frames that came from the broker. */
  readonly frames: number;
  /** Frames that could not be read. */
  readonly invalidFrames: number;
  /** Trades and quotes in the frames. */
  readonly events: number;
  /** Prices that the server has published. */
  readonly published: number;
  /** Events that gave no price, by reason. */
  readonly dropped: Readonly<Record<Unusable, number>>;
  /** Publishes of a price or a status that did not succeed, by error code. */
  readonly failures: Readonly<Record<string, number>>;
  /** What is told of the feed on FEED_STATUS. */
  readonly feed: FeedStatus;
}

export interface Gateway {
  readonly stats: GatewayStats;
  /**
   * Connects to Redis, then starts the feed; what becomes of the feed is told on FEED_STATUS.
   *
   * @throws TickbusError `TICKBUS_CONNECT_FAILED` or `TICKBUS_AUTH_FAILED`; the broker was not called then
   */
  start(): Promise<void>;
  /** Lets go of the broker, publishes what was received and the status `stopped`, and closes the publisher. Safe to call again. */
  stop(): Promise<void>;
}

/** A gateway for one feed; nothing connects before `start`. */
export function createGateway(options: GatewayOptions): Gateway {
  return new PriceGateway(options);
}

const DEFAULT_STATUS_INTERVAL_MS = 1_000;
const DEFAULT_SILENT_AFTER_MS = 15_000;

/** Phases: new -> running -> stopping -> stopped. While running, the feed's own state is what is told. */
class PriceGateway implements Gateway {
  readonly #options: GatewayOptions;
  readonly #warnings: RateLimitedLog;
  readonly #book: PriceBook;
  readonly #counters = { frames: 0, invalidFrames: 0, events: 0, published: 0 };
  readonly #dropped: Record<Unusable, number> = { invalid: 0, unpriced: 0 };
  readonly #failures: Record<string, number> = {};
  readonly #inFlight = new Set<Promise<void>>();
  readonly #refused = new Set<string>();
  #phase: 'new' | 'running' | 'stopping' | 'stopped' = 'new';
  #feedState: FeedState = { type: 'connecting' };
  #lastFrameAt: number | undefined;
  #quietSince = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#warnings = new RateLimitedLog(options.logger);
    this.#book = new PriceBook(options.feed.venue);
  }

  get stats(): GatewayStats {
    const { frames, invalidFrames, events, published } = this.#counters;
    const [dropped, failures] = [{ ...this.#dropped }, { ...this.#failures }];
    return { frames, invalidFrames, events, published, dropped, failures, feed: this.#status() };
  }

  async start(): Promise<void> {
    const { feed, publisher, symbols, mayConnect = createBackoff() } = this.#options;
    const { statusIntervalMs = DEFAULT_STATUS_INTERVAL_MS } = this.#options;
    // Redis before the broker: a gateway that cannot publish must not take the one connection there is.
    await publisher.connect();
    if (this.#phase !== 'new') return;
    this.#phase = 'running';
    this.#timer = setInterval(() => this.#tellStatus(), statusIntervalMs);
    feed.setSymbols(symbols);
    feed.start({
      mayConnect,
      onFrame: (events) => this.#onFrame(events),
      onInvalidFrame: (reason) => this.#onInvalidFrame(reason),
      onState: (state) => this.#onState(state),
      onSubscribed: () => {},
      onRefused: (refusal) => this.#onRefused(refusal),
    });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /**
   * The order is the promise: nothing of the feed comes after `stopped`. So the feed is closed first, without waiting for
   * Redis, which may be why the gateway stops; then every price is settled; then the last word is said.
   */
  async #stop(): Promise<void> {
    const wasRunning = this.#phase === 'running';
    this.#phase = 'stopping';
    clearInterval(this.#timer);
    if (wasRunning) this.#tellStatus();
    await this.#options.feed.close();
    await Promise.all(this.#inFlight);
    this.#phase = 'stopped';
    if (wasRunning) this.#tellStatus();
    await this.#options.publisher.close();
  }

  #onFrame(events: readonly MarketEvent[]): void {
    this.#counters.frames++;
    this.#counters.events += events.length;
    this.#lastFrameAt = Date.now();
    this.#quietSince = performance.now();
    for (const event of events) {
      const price = this.#book.apply(event);
      if (typeof price === 'string') this.#drop(price, event);
      else
        this.#publish(async ({ publisher }) => {
          await publisher.publish(CHANNELS.PRICE_DATA, price);
          this.#counters.published++;
        });
    }
  }

  #drop(why: Unusable, { kind, symbol }: MarketEvent): void {
    this.#dropped[why]++;
    if (why === 'invalid')
      this.#warnings.warn(why, { kind, symbol }, 'An event with broken values was dropped.');
  }

  #onInvalidFrame(reason: string): void {
    this.#counters.invalidFrames++;
    this.#warnings.warn('frame', { reason }, 'A frame of the broker could not be read and was dropped.');
  }

  #onRefused(refusal: Refusal): void {
    this.#refused.add(refusal.symbol);
    this.#options.logger.warn({ ...refusal }, 'The broker refused an instrument.');
  }

  #onState(state: FeedState): void {
    const { feed, logger } = this.#options;
    if (state.type === 'connecting') this.#refused.clear();
    this.#feedState = state;
    this.#quietSince = performance.now();
    logger[state.type === 'down' ? 'warn' : 'info'](
      { feed: feed.name, ...state },
      `The feed is ${state.type}.`,
    );
    if (this.#phase === 'running') this.#tellStatus();
  }

  #tellStatus(): void {
    this.#publish(({ publisher }) => publisher.publish(CHANNELS.FEED_STATUS, this.#status()));
  }

  #status(): FeedStatus {
    const { feed, symbols } = this.#options;
    return {
      feed: feed.name,
      state: this.#stateName(),
      instruments: symbols.length - this.#refused.size,
      ...(this.#feedState.type === 'down' && { detail: detailOf(this.#feedState) }),
      ...(this.#lastFrameAt !== undefined && { last_frame_at: this.#lastFrameAt }),
    };
  }

  #stateName(): FeedStatus['state'] {
    if (this.#phase === 'stopping' || this.#phase === 'stopped') return this.#phase;
    const { silentAfterMs = DEFAULT_SILENT_AFTER_MS } = this.#options;
    const isSilent = performance.now() - this.#quietSince >= silentAfterMs;
    return this.#feedState.type === 'live' && isSilent ? 'silent' : this.#feedState.type;
  }

  /** Never throws and never waits: a publish that fails is counted, and the next tick is newer than any retry could be. */
  #publish(send: (options: GatewayOptions) => Promise<unknown>): void {
    const sent: Promise<void> = send(this.#options)
      .then(
        () => {},
        (error: unknown) => this.#fail(error),
      )
      .finally(() => this.#inFlight.delete(sent));
    this.#inFlight.add(sent);
  }

  #fail(error: unknown): void {
    const code = error instanceof TickbusError ? error.code : 'UNEXPECTED';
    this.#failures[code] = (this.#failures[code] ?? 0) + 1;
    this.#warnings.warn(code, { code, reason: String(error) }, 'A message was not published.');
  }
}

function detailOf({ reason, retryable }: Extract<FeedState, { type: 'down' }>): string {
  return `${reason} It is ${retryable ? '' : 'not '}tried again.`;
}

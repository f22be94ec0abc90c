// For the freshness tests: a server, a gateway that publishes its status, and a bot, on manual clocks.

import { eventLoopTurns, RecordingLogger } from '@tickbus/test-kit';
import type { FeedStatus } from '../../channel/schemas/feed-status.ts';
import { CHANNELS } from '../../constants.ts';
import { StaleDataError } from '../../freshness/stale-data-error.ts';
import { RedisPublisher } from '../../publisher.ts';
import { ManualClock } from '../../runtime/manual-clock.ts';
import { RedisSubscriber, type RedisSubscriberOptions } from '../../subscriber.ts';
import { MemoryConnection } from '../../testing.ts';
import { MemoryServer } from '../../transport/memory/memory-server.ts';

const STEP_MS = 50;

/** Freshness bounds of a bot that accepts a price which has not changed for up to a minute. */
export const MINUTE_OF_QUIET = { maxAgeMs: 2_000, maxQuietMs: 60_000 };

export class FreshnessHarness {
  /** Clock of the bot. */
  readonly clock = new ManualClock();
  /** Clock of the server. */
  readonly serverClock = new ManualClock();
  readonly server = new MemoryServer(this.serverClock);
  readonly link = new MemoryConnection({ server: this.server });
  readonly logger = new RecordingLogger();
  readonly bot: RedisSubscriber;
  readonly publisher: RedisPublisher;
  /** Status that the gateway publishes every second while `isAlive`. */
  status: Partial<FeedStatus> & Pick<FeedStatus, 'state'> = { state: 'live' };
  isAlive = true;
  /** Monotonic times of the server: the last frame of the broker, and the start of the live state. */
  lastFrameAt = 0;
  liveSince = -1_000;
  #lastHeartbeatAt = 0;

  constructor(options: Pick<RedisSubscriberOptions, 'freshness'> = {}) {
    const { clock, logger } = this;
    this.bot = new RedisSubscriber({ clock, logger, ...options, connection: this.link });
    const connection = new MemoryConnection({ server: this.server });
    this.publisher = new RedisPublisher({ connection, clock: this.serverClock, sender: 'gateway' });
  }

  /** Publishes a price of the symbol, as if a frame of the broker had just delivered it. */
  async publishPrice(symbol: string, price = 1): Promise<void> {
    this.lastFrameAt = this.serverClock.monotonic();
    await this.publisher.publish(CHANNELS.PRICE_DATA, { symbol, price, timestamp: 0 });
    await eventLoopTurns(2);
  }

  async heartbeat(): Promise<void> {
    const now = this.serverClock.monotonic();
    this.#lastHeartbeatAt = now;
    await this.publisher.publish(CHANNELS.FEED_STATUS, {
      feed: 'sim',
      last_frame_ago_ms: now - this.lastFrameAt,
      ...(this.status.state === 'live' ? { live_for_ms: now - this.liveSince } : {}),
      ...this.status,
    });
    await eventLoopTurns(2);
  }

  /** Takes the lease of PRICE_DATA for a minute, after the hold-off. Returns the token. */
  async takeLease(): Promise<number> {
    const { name } = CHANNELS.PRICE_DATA;
    for (let ttlMs = 1; ; ttlMs = 60_000) {
      const attempt = this.server.acquire(name, ttlMs);
      if (attempt.state === 'held') return attempt.token;
      await this.serverClock.advance(attempt.leftMs);
    }
  }

  async publishInstrumentStatus(
    symbol: string,
    state: 'subscribed' | 'refused' | 'unknown' | 'unsubscribed',
    more = {},
  ) {
    await this.publisher.publish(CHANNELS.INSTRUMENT_STATUS, { symbol, state, feed: 'sim', ...more });
    await eventLoopTurns(2);
  }

  /** Advances both clocks, with a heartbeat every second. */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      await this.serverClock.advance(Math.min(left, STEP_MS));
      if (this.isAlive && this.serverClock.monotonic() - this.#lastHeartbeatAt >= 1_000)
        await this.heartbeat();
      await this.clock.advance(Math.min(left, STEP_MS));
    }
    await eventLoopTurns(2);
  }

  /** Advances both clocks while the process is blocked: no timer runs and no message is read. */
  block(ms: number): void {
    this.serverClock.skip(ms);
    this.clock.skip(ms);
  }

  latest(symbol: string, bounds: { maxAgeMs?: number; maxQuietMs?: number } = { maxAgeMs: 2_000 }) {
    return this.bot.latest(CHANNELS.PRICE_DATA, symbol, bounds);
  }

  verdict(symbol = 'A', bounds: { maxAgeMs?: number; maxQuietMs?: number } = { maxAgeMs: 2_000 }): string {
    return this.latest(symbol, bounds).verdict;
  }

  /** The price if it is fresh, otherwise the verdict. */
  priceOrVerdict(
    symbol = 'A',
    bounds: { maxAgeMs: number; maxQuietMs?: number } = { maxAgeMs: 2_000 },
  ): number | string {
    try {
      return this.bot.requireFresh(CHANNELS.PRICE_DATA, symbol, bounds).data.price;
    } catch (error) {
      if (error instanceof StaleDataError) return error.verdict;
      throw error;
    }
  }

  /** A listening bot, a live gateway, and a price of A. */
  static async running(
    ...options: ConstructorParameters<typeof FreshnessHarness>
  ): Promise<FreshnessHarness> {
    const harness = new FreshnessHarness(...options);
    harness.bot.subscribe(CHANNELS.PRICE_DATA, () => {});
    await harness.heartbeat();
    await harness.bot.startListening();
    await harness.publishPrice('A');
    return harness;
  }
}

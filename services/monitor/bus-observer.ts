// Subscribes to every bundled channel, the user's own, and those of venues, and keeps the dashboard state up to date.
// Retries until Redis is reachable.

import { withOwnChannels } from '@tickbus/operator-kit/own-channels';
import type { Channel, Connection, Logger, Message, MessageOf, PriceChannel, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { presenceList } from 'tickbus/presence';
import { RedisSubscriber } from 'tickbus/subscriber';
import { DashboardState } from './model/dashboard-state.ts';
import type { PriceVerdict } from './model/instrument-record.ts';
import { preciseNow } from './model/precise-now.ts';
import { type TailBuffer, TailedMessage } from './model/tail-buffer.ts';
import type { About } from './page-protocol.ts';
import { ServerPoller, type ServerPollerOptions } from './server-poller.ts';
import { VenueObservers } from './venue-observers.ts';

export interface BusObserverOptions {
  readonly connection: Connection;
  readonly about: About;
  /** The user's own channels. Default: none. */
  readonly channels?: readonly Channel[];
  readonly logger: Logger;
  /** Milliseconds before a retry after any error other than `TICKBUS_CONNECT_FAILED`. Default 30,000. */
  readonly refusedRetryMs?: number;
}

const RETRY_MS = 2_000;
/** Longer than RETRY_MS: rejected credentials need an operator, and frequent attempts burden the server. */
const REFUSED_RETRY_MS = 30_000;

export class BusObserver {
  readonly state: DashboardState;
  readonly #options: BusObserverOptions;
  readonly #subscriber: RedisSubscriber;
  readonly #tails = new Set<TailBuffer>();
  readonly #venues: VenueObservers;
  /** The names of all observed channels. */
  readonly #names: string[];
  #retry: NodeJS.Timeout | undefined;
  #loggedFailure: string | undefined;
  #isClosed = false;

  constructor(options: BusObserverOptions) {
    const { connection, about, logger } = options;
    const channels = withOwnChannels(options.channels ?? []);
    this.#names = channels.map(({ name }) => name);
    this.#options = options;
    this.#subscriber = new RedisSubscriber({ connection, logger, name: 'monitor', adopt: true });
    const sources = {
      latestOf: (symbol: string, channel: PriceChannel) => this.#priceVerdict(symbol, channel),
      reportOf: (channel: Channel) => this.#subscriber.status(channel) ?? this.#venues.reportOf(channel),
    };
    this.#venues = new VenueObservers({
      connection,
      logger,
      retryMs: options.refusedRetryMs ?? REFUSED_RETRY_MS,
      onChannel: (channel) => {
        this.#names.push(channel.name);
        this.state.addVenue(channel);
      },
      onMessage: (channel, message) => this.#onMessage(channel, message),
      onStatus: (status) => this.state.onStatus(status, preciseNow()),
    });
    this.state = new DashboardState(about, channels, sources, preciseNow());
    for (const channel of channels) this.#subscribe(channel);
    this.#subscriber.on('status', (status) => this.state.onStatus(status, preciseNow()));
    this.#subscriber.on('gap', ({ channel: name }) => {
      if (name === CHANNELS.PRESENCE.name) void this.#checkPrograms();
    });
    this.#subscriber.on('invalid_message', (invalid) => this.state.onInvalidMessage(invalid, preciseNow()));
    this.#subscriber.on('expired', ({ channel, message }) =>
      this.state.onExpired(channel, message, preciseNow()),
    );
  }

  /** Connects in the background. `state` shows the result. */
  start(): void {
    this.#listen().catch((error: TickbusError) => {
      if (this.#isClosed) return;
      const { refusedRetryMs = REFUSED_RETRY_MS } = this.#options;
      const isRefused = error.code !== 'TICKBUS_CONNECT_FAILED';
      const retryMs = isRefused ? refusedRetryMs : RETRY_MS;
      // Once for each reason, which texts word differently: the page shows it, too.
      const level = error.code === this.#loggedFailure ? 'debug' : 'warn';
      this.#loggedFailure = error.code;
      this.#options.logger[level]({ code: error.code, retryMs }, error.message);
      this.#retry = setTimeout(() => this.start(), retryMs);
    });
  }

  /** Returns a poller that adds subscriber counts to `state`. The caller starts and closes it. */
  createServerPoller(redis: ServerPollerOptions['redis']): ServerPoller {
    const channels = this.#names;
    const { logger } = this.#options;
    return new ServerPoller({ redis, channels, logger, onStats: (stats) => this.state.onServerStats(stats) });
  }

  /** Adds every message to `buffer` until the returned function is called. */
  tail(buffer: TailBuffer): () => void {
    this.#tails.add(buffer);
    return () => this.#tails.delete(buffer);
  }

  #priceVerdict(symbol: string, channel: PriceChannel): PriceVerdict {
    const { maxAgeMs } = this.#options.about;
    return channel === CHANNELS.PRICE_DATA
      ? this.#subscriber.latest(channel, symbol, { maxAgeMs })
      : this.#venues.latestOf(symbol, channel, maxAgeMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#venues.close();
    await this.#subscriber.close({ timeoutMs: 500 });
  }

  /** Resolves on `close`. Rejects if connecting fails or an established connection fails permanently. */
  async #listen(): Promise<void> {
    await this.#subscriber.startListening();
    this.#loggedFailure = undefined;
    for await (const status of this.#subscriber.statusChanges())
      if (status.type === 'failed') throw status.error;
  }

  /** After a gap on PRESENCE: ends may be missing, and nobody repeats them. */
  async #checkPrograms(): Promise<void> {
    const before = this.state.programs;
    try {
      const present = await presenceList(this.#options.connection);
      const instances = new Set(present.map(({ instance }) => instance));
      const ended = before.filter(({ instance }) => !instances.has(instance));
      this.state.forgetPrograms(ended, preciseNow());
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'It is unknown which programs have ended during a gap');
      const { retryable } = error as TickbusError;
      if (retryable && !this.#isClosed) setTimeout(() => void this.#checkPrograms(), RETRY_MS).unref();
    }
  }

  #subscribe(channel: Channel): void {
    this.#subscriber.subscribe(channel, (message: Message) => {
      this.#onMessage(channel, message);
      if (channel !== CHANNELS.FEED_STATUS) return;
      const { data } = message as MessageOf<typeof CHANNELS.FEED_STATUS>;
      if (data.channel !== undefined) this.#venues.notice(data.channel);
    });
  }

  #onMessage(channel: Channel, message: Message): void {
    const now = preciseNow();
    this.state.onMessage(channel, message, publishedAt(message, now), now);
    if (this.#tails.size === 0) return;
    const tailed = new TailedMessage(channel, message, now);
    for (const buffer of this.#tails) buffer.add(tailed);
  }
}

/** Returns the publish time of a snapshot, which is earlier than its arrival; `now` for a live message. */
function publishedAt({ snapshot, at, timestamp }: Message, now: number): number {
  return snapshot ? Math.min(now, at ?? timestamp) : now;
}

// Listens to the bus and keeps the picture of it; tries again for as long as the bus cannot be reached.

import type { Channel, Connection, Logger, Message, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { DashboardState } from './model/dashboard-state.ts';
import type { LatestPrice } from './model/instrument-record.ts';
import { preciseNow } from './model/precise-now.ts';
import type { TailBuffer } from './model/tail-buffer.ts';
import type { About } from './page-protocol.ts';
import { ServerPoller } from './server-poller.ts';

export interface BusObserverOptions {
  readonly connection: Connection;
  readonly about: About;
  readonly logger: Logger;
  /** Milliseconds until a refused password or permission is tried again. Default 30,000. */
  readonly refusedRetryMs?: number;
}

const OBSERVED_CHANNELS: readonly Channel[] = Object.values(CHANNELS);
const RETRY_MS = 2_000;
/** It does not mend itself, and a server should not be asked all the time. */
const REFUSED_RETRY_MS = 30_000;

export class BusObserver {
  readonly state: DashboardState;
  readonly #options: BusObserverOptions;
  readonly #subscriber: RedisSubscriber;
  readonly #tails = new Set<TailBuffer>();
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: BusObserverOptions) {
    const { connection, about, logger } = options;
    this.#options = options;
    this.#subscriber = new RedisSubscriber({ connection, logger });
    const sources = {
      latestOf: (symbol: string) => this.#latestPrice(symbol),
      reportOf: (channel: Channel) => this.#subscriber.status(channel),
    };
    this.state = new DashboardState(about, OBSERVED_CHANNELS, sources, preciseNow());
    for (const channel of OBSERVED_CHANNELS) this.#subscribe(channel);
    this.#subscriber.on('status', (status) => this.state.onStatus(status, preciseNow()));
    this.#subscriber.on('invalid_message', (invalid) => this.state.onInvalidMessage(invalid, preciseNow()));
    this.#subscriber.on('expired', ({ channel, message }) =>
      this.state.onExpired(channel, message, preciseNow()),
    );
  }

  /** Begins to connect; what becomes of it is in the picture. */
  start(): void {
    this.#listen().catch((error: TickbusError) => {
      if (this.#isClosed) return;
      const { refusedRetryMs = REFUSED_RETRY_MS } = this.#options;
      const isRefused = error.code !== 'TICKBUS_CONNECT_FAILED';
      const retryMs = isRefused ? refusedRetryMs : RETRY_MS;
      // The link has told it already, louder.
      this.#options.logger.debug({ code: error.code, retryMs }, error.message);
      this.#retry = setTimeout(() => this.start(), retryMs);
    });
  }

  /** Asks the server of `url` what subscribers do not hear. Not started yet. */
  createServerPoller(url: string | undefined): ServerPoller {
    const channels = OBSERVED_CHANNELS.map(({ name }) => name);
    const { logger } = this.#options;
    return new ServerPoller({ url, channels, logger, onStats: (seen) => this.state.onServerStats(seen) });
  }

  /** Offers every message to a window from now on, until the function that is returned is called. */
  tail(window: TailBuffer): () => void {
    this.#tails.add(window);
    return () => this.#tails.delete(window);
  }

  #latestPrice(symbol: string): LatestPrice {
    const { maxAgeMs } = this.#options.about;
    return this.#subscriber.latest(CHANNELS.PRICE_DATA, symbol, { maxAgeMs });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#subscriber.close({ timeoutMs: 500 });
  }

  /** Until it is closed. Rejects when there is no link, or when one that was up is given up. */
  async #listen(): Promise<void> {
    await this.#subscriber.startListening();
    for await (const status of this.#subscriber.statusChanges())
      if (status.type === 'failed') throw status.error;
  }

  #subscribe(channel: Channel): void {
    this.#subscriber.subscribe(channel, (message: Message) => {
      const now = preciseNow();
      this.state.onMessage(channel, message, publishedAt(message, now), now);
      for (const window of this.#tails) window.add(channel, message, now);
    });
  }
}

/** A kept value was published before it came here. */
function publishedAt({ snapshot, at, timestamp }: Message, now: number): number {
  return snapshot ? Math.min(now, at ?? timestamp) : now;
}

// Polls the Redis server once a second for its subscriber counts.

import type { Logger, RedisConnectionOptions } from 'tickbus';
import { RedisAdmin } from 'tickbus/admin';

interface ServerStats {
  /** Subscribed connections, by channel. */
  readonly subscribers: ReadonlyMap<string, number>;
}

export interface ServerPollerOptions {
  /** Address of Redis. Default: CONFIG. */
  readonly redis: RedisConnectionOptions;
  readonly channels: readonly string[];
  readonly logger: Logger;
  /** Receives undefined after a failed poll: earlier figures are no longer valid. */
  readonly onStats: (stats: ServerStats | undefined) => void;
}

const INTERVAL_MS = 1_000;
const RETRY_MS = 5_000;

/** Uses its own connection and reconnects after a failed poll. */
export class ServerPoller {
  readonly #options: ServerPollerOptions;
  #admin: RedisAdmin | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ServerPollerOptions) {
    this.#options = options;
  }

  /** Starts polling. Never rejects. */
  start(): void {
    void this.#poll();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#admin?.close();
  }

  async #poll(): Promise<void> {
    const { redis, channels, logger, onStats } = this.#options;
    let delayMs = INTERVAL_MS;
    try {
      this.#admin ??= await connected(new RedisAdmin({ ...redis, logger: SILENT_LOGGER }));
      const subscribers = await countSubscribers(this.#admin, channels);
      onStats({ subscribers });
    } catch (error) {
      logger.debug({ reason: String(error) }, 'Polling Redis for subscriber counts failed');
      delayMs = RETRY_MS;
      onStats(undefined);
      await this.#admin?.close();
      this.#admin = undefined;
    }
    if (this.#isClosed) await this.#admin?.close();
    else this.#timer = setTimeout(() => this.#poll(), delayMs);
  }
}

/** The subscriber's connection already logs connection failures. */
const SILENT_LOGGER: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * On a cluster, each channel can be on another node. The channels of a node that is down are left out.
 *
 * @throws the first error if no channel can be counted
 */
async function countSubscribers(
  admin: RedisAdmin,
  channels: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const counts = await Promise.allSettled(channels.map((channel) => admin.channels([channel])));
  const counted = counts.flatMap((count) => (count.status === 'fulfilled' ? count.value : []));
  const failed = counts.find((count) => count.status === 'rejected');
  if (counted.length === 0 && failed !== undefined) throw failed.reason;
  return new Map(counted.map(({ channel, subscribers }) => [channel, subscribers]));
}

async function connected(admin: RedisAdmin): Promise<RedisAdmin> {
  try {
    await admin.connect();
    return admin;
  } catch (error) {
    await admin.close();
    throw error;
  }
}

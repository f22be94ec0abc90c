// Asks the server itself once a second: who is subscribed to what, and what its clock shows.

import type { Logger } from 'tickbus';
import { RedisAdmin } from 'tickbus/admin';

interface ServerStats {
  /** Subscribed links, by channel. */
  readonly subscribers: ReadonlyMap<string, number>;
  /** Milliseconds by which the server's clock is ahead of ours. */
  readonly clockOffsetMs: number;
}

export interface ServerPollerOptions {
  /** Default: CONFIG's. */
  readonly url: string | undefined;
  readonly channels: readonly string[];
  readonly logger: Logger;
  /** Undefined when the server could not be asked: what was seen is not true any more. */
  readonly onStats: (seen: ServerStats | undefined) => void;
}

const INTERVAL_MS = 1_000;
const RETRY_MS = 5_000;

/** A link of its own, which is made anew when asking fails. */
export class ServerPoller {
  readonly #options: ServerPollerOptions;
  #admin: RedisAdmin | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ServerPollerOptions) {
    this.#options = options;
  }

  /** Begins to ask; never rejects. */
  start(): void {
    void this.#poll();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#admin?.close();
  }

  async #poll(): Promise<void> {
    const { url, channels, logger, onStats } = this.#options;
    let pause = INTERVAL_MS;
    try {
      this.#admin ??= await connected(new RedisAdmin({ url, logger: SILENT_LOGGER }));
      const [stats, clock] = await Promise.all([this.#admin.channels(channels), this.#admin.clock(1)]);
      const subscribers = new Map(stats.map(({ channel, subscribers: count }) => [channel, count]));
      onStats({ subscribers, clockOffsetMs: clock.offsetMs });
    } catch (error) {
      logger.debug({ reason: String(error) }, 'The server could not be asked for its subscribers.');
      pause = RETRY_MS;
      onStats(undefined);
      await this.#admin?.close();
      this.#admin = undefined;
    }
    if (this.#isClosed) await this.#admin?.close();
    else this.#timer = setTimeout(() => this.#poll(), pause);
  }
}

/** The link's own troubles are told by the subscriber's link already. */
const SILENT_LOGGER: Logger = { debug() {}, info() {}, warn() {}, error() {} };

async function connected(admin: RedisAdmin): Promise<RedisAdmin> {
  try {
    await admin.connect();
    return admin;
  } catch (error) {
    await admin.close();
    throw error;
  }
}

// Permits the feed's connections to the broker: waits longer after each failure, and within the budget of all gateways.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'tickbus';
import type { Attempt } from '../feeds/feed.ts';
import { retryDelayMs } from '../feeds/feed-backoff.ts';
import type { Counters } from '../monitoring/stats.ts';
import type { ConnectionBudget } from './connection-budget.ts';

export interface ConnectionPermitsOptions {
  /** The feed's name, for the log. */
  readonly feed: string;
  readonly budget: ConnectionBudget;
  /** In milliseconds; see `SessionTimes`. */
  readonly times: {
    readonly brokerReleaseMs: number;
    readonly retryMs: number;
    readonly maxRetryMs: number;
  };
  readonly counters: Counters;
  readonly logger: Logger;
  /** The feed is down for this reason, and connects again after `retryInMs` milliseconds. */
  readonly onRetry: (reason: string, retryInMs: number) => void;
}

const LIMIT_REACHED = 'The limit of connection attempts (CONNECT_LIMIT) is reached.';

export class ConnectionPermits {
  readonly #options: ConnectionPermitsOptions;

  constructor(options: ConnectionPermitsOptions) {
    this.#options = options;
  }

  /** Resolves when the feed may connect. @throws AbortError when `signal` aborts */
  async request(attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { feed, budget, counters, times, logger, onRetry } = this.#options;
    const { after, isExtra } = attempt;
    if (!isExtra) {
      const waitMs = after === undefined ? times.brokerReleaseMs : retryDelayMs(attempt, times);
      if (after !== undefined) onRetry(after.reason, waitMs);
      await sleep(waitMs, undefined, { signal });
    }
    await budget.take(signal, (ms, reason = LIMIT_REACHED) => {
      if (!isExtra) return onRetry(after === undefined ? reason : `${after.reason} ${reason}`, ms);
      logger.warn({ feed, retryInMs: ms }, `Change of the instruments postponed. ${reason}`);
    });
    counters.attempts++;
  }
}

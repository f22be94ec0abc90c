// Limits the connection attempts of all gateways together. Redis stores the attempts, so restarts do not reset the
// limit.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, defineChannel, type Logger } from 'tickbus';
import type { RedisPublisher } from 'tickbus/publisher';
import { z } from 'zod';

export interface ConnectionBudgetOptions {
  readonly connection: Connection;
  readonly publisher: RedisPublisher;
  /**
   * The feed's key on FEED_STATUS. Each has a separate budget, so that an account whose connection fails takes no
   * attempt of another account.
   */
  readonly feed: string;
  /** Maximum attempts within any period of `windowMs`; at most 100. */
  readonly limit: number;
  /** Length of the sliding window, milliseconds. */
  readonly windowMs: number;
  readonly logger: Logger;
}

/** Attempts kept in the channel's history. */
const ATTEMPT_HISTORY = 1_000;
/** Delay before the next try when Redis does not answer, milliseconds. */
const REDIS_RETRY_MS = 500;

/**
 * Each attempt to connect to a broker is one message, timestamped by Redis. The budget is computed from the channel's
 * history, so the clocks of the gateways do not matter, and an operator can read why a gateway waits.
 */
const BROKER_ATTEMPTS = defineChannel('BROKER_ATTEMPTS', {
  kind: 'event',
  key: 'feed',
  history: ATTEMPT_HISTORY,
  messages: { attempt: z.object({ feed: z.string() }) },
});

/**
 * A sliding window of attempts. Only the gateway with the lease uses it, so no other gateway takes an attempt between
 * the check and the publish. An attempt that cannot be recorded in Redis is not made.
 */
export class ConnectionBudget {
  readonly #options: ConnectionBudgetOptions;

  constructor(options: ConnectionBudgetOptions) {
    this.#options = options;
  }

  /**
   * Waits until the limit permits an attempt, then records the attempt. An attempt counts even if it fails.
   *
   * @param onWait called with each delay in milliseconds; `reason` is given only if Redis, not the limit, causes the
   * delay
   * @throws AbortError when `signal` aborts
   */
  async take(signal: AbortSignal, onWait: (ms: number, reason?: string) => void): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const { waitMs, reason } = await this.#tryTake();
      if (waitMs === 0) return;
      onWait(waitMs, reason);
      await sleep(waitMs, undefined, { signal });
    }
  }

  /** `waitMs` is 0 when an attempt was taken, otherwise the delay before the next try. */
  async #tryTake(): Promise<{ readonly waitMs: number; readonly reason?: string }> {
    const { connection, publisher, feed, logger } = this.#options;
    try {
      const waitMs = msUntilFree(await connection.publishing.read(BROKER_ATTEMPTS), this.#options);
      if (waitMs > 0) return { waitMs };
      await publisher.publish(BROKER_ATTEMPTS, { feed });
      return { waitMs: 0 };
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      logger.warn({ feed, reason: cause }, 'Connection attempt postponed: Redis cannot record it.');
      return {
        waitMs: REDIS_RETRY_MS,
        reason: `The attempt cannot be recorded on ${BROKER_ATTEMPTS}, so the gateway does not connect. ${cause}`,
      };
    }
  }
}

type State = Awaited<ReturnType<Connection['publishing']['read']>>;

/** Milliseconds until the limit permits an attempt; 0 if it permits an attempt now. */
function msUntilFree({ entries, at }: State, { feed, limit, windowMs }: ConnectionBudgetOptions): number {
  const recent = entries
    .map(parseAttempt)
    .filter((attempt) => attempt?.feed === feed && attempt.at > at - windowMs);
  const oldest = recent.at(-limit);
  return oldest === undefined ? 0 : Math.max(1, Math.ceil(oldest.at + windowMs - at));
}

const attempt = z.object({ at: z.number(), data: z.object({ feed: z.string() }) });

/** Undefined for a message that is not an attempt: any client can publish on the channel. */
function parseAttempt(entry: Uint8Array): { readonly feed: string; readonly at: number } | undefined {
  try {
    const { at, data } = attempt.parse(JSON.parse(new TextDecoder().decode(entry)));
    return { feed: data.feed, at };
  } catch {
    return undefined;
  }
}

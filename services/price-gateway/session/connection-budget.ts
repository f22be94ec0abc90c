// How often the broker may be called, by all gateways together; Redis remembers it over restarts.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, defineChannel, type Logger } from 'tickbus';
import type { RedisPublisher } from 'tickbus/publisher';
import { z } from 'zod';

export interface ConnectionBudgetOptions {
  readonly connection: Connection;
  readonly publisher: RedisPublisher;
  /** Whose connection it is: budgets of different feeds are apart. */
  readonly feed: string;
  /** Attempts in any `windowMs`, 100 at most. */
  readonly limit: number;
  /** Milliseconds. */
  readonly windowMs: number;
  readonly logger: Logger;
}

/** The most attempts that are remembered. */
const ATTEMPT_HISTORY = 1_000;
/** Milliseconds until a Redis that does not answer is asked again. */
const REDIS_RETRY_MS = 500;

/**
 * Every attempt to connect to a broker is one message, stamped by Redis. Its history is the budget: no clock of any gateway is in it, and
 * whoever wonders why a gateway waits can read it.
 */
const BROKER_ATTEMPTS = defineChannel('BROKER_ATTEMPTS', {
  kind: 'event',
  key: 'feed',
  history: ATTEMPT_HISTORY,
  messages: { attempt: z.object({ feed: z.string() }) },
});

/**
 * A sliding window. Only the holder of the lease calls, so that between looking and taking nobody else takes; and nothing
 * goes without Redis: an attempt that cannot be written down is not made.
 */
export class ConnectionBudget {
  readonly #options: ConnectionBudgetOptions;

  constructor(options: ConnectionBudgetOptions) {
    this.#options = options;
  }

  /**
   * Takes one attempt, as soon as there is one; it is used up whatever becomes of it.
   *
   * @param onWait told how many milliseconds it will take, whenever there is none, and why, where that is not that all are used up
   * @throws AbortError when `signal` aborts meanwhile
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

  /** 0 when an attempt was taken, else the milliseconds after which to try again. */
  async #tryTake(): Promise<{ readonly waitMs: number; readonly reason?: string }> {
    const { connection, publisher, feed, logger } = this.#options;
    try {
      const waitMs = msUntilFree(await connection.publishing.read(BROKER_ATTEMPTS), this.#options);
      if (waitMs > 0) return { waitMs };
      await publisher.publish(BROKER_ATTEMPTS, { feed });
      return { waitMs: 0 };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      logger.warn({ feed, reason: why }, 'An attempt to connect waits, as Redis cannot write it down.');
      return {
        waitMs: REDIS_RETRY_MS,
        reason: `No attempt is made that Redis cannot write down on ${BROKER_ATTEMPTS}. ${why}`,
      };
    }
  }
}

type State = Awaited<ReturnType<Connection['publishing']['read']>>;

/** Milliseconds until an attempt is free; 0 when one is. */
function msUntilFree({ entries, at }: State, { feed, limit, windowMs }: ConnectionBudgetOptions): number {
  const recent = entries
    .map(parseAttempt)
    .filter((attempt) => attempt?.feed === feed && attempt.at > at - windowMs);
  const oldest = recent.at(-limit);
  return oldest === undefined ? 0 : Math.max(1, Math.ceil(oldest.at + windowMs - at));
}

const attempt = z.object({ at: z.number(), data: z.object({ feed: z.string() }) });

/** Undefined for what is no attempt: anybody can publish. */
function parseAttempt(entry: Uint8Array): { readonly feed: string; readonly at: number } | undefined {
  const { data } = attempt.safeParse(JSON.parse(new TextDecoder().decode(entry)));
  return data && { feed: data.data.feed, at: data.at };
}

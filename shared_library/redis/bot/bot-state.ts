// The state of a bot, and its reports on BOT_STATUS.

import type { BotStatus } from '../channel/schemas/bot-status.ts';
import { CHANNELS } from '../constants.ts';
import type { RedisPublisher } from '../publisher.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import { detailText, errorText } from './detail-text.ts';

export interface BotStateOptions {
  readonly bot: string;
  readonly publisher: RedisPublisher;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs: number;
  readonly account: (() => Pick<BotStatus, 'position' | 'pnl'>) | undefined;
  readonly subscriptions: () => readonly string[];
  /** The number of messages that wait for handlers. */
  readonly backlog: () => number;
  /** Why prices are not fresh; undefined if all are. */
  readonly trouble: () => string | undefined;
  /** For the log line of the end. */
  readonly stats: () => object;
}

/**
 * Phases: starting -> running -> stopping -> stopped. A running bot is `paused` between `pause` and `resume`; otherwise
 * it is in `error` from an error of a handler until the next `pause` or `resume`. Handlers are called in either state.
 */
export class BotState {
  readonly #options: BotStateOptions;
  #phase: 'starting' | 'running' | 'stopping' | 'stopped' = 'starting';
  #hasRun = false;
  #isPaused = false;
  #isClosed = false;
  #error: string | undefined;
  /** Why the bot is paused or running again. */
  #reason: string | undefined;
  #startedAt: number | undefined;
  #cancelNext: Unsubscribe = () => {};

  constructor(options: BotStateOptions) {
    this.#options = options;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get current(): BotStatus['state'] {
    if (this.#phase !== 'running') return this.#phase;
    if (this.#isPaused) return 'paused';
    return this.#error === undefined ? 'running' : 'error';
  }

  starting(): void {
    this.#startedAt = this.#options.clock.now();
  }

  enter(phase: 'running' | 'stopping' | 'stopped'): void {
    const hasRun = this.#hasRun;
    this.#hasRun ||= phase === 'running';
    this.#phase = phase;
    this.report();
    const { bot, logger, subscriptions, stats } = this.#options;
    if (phase === 'running') logger.info({ bot, subscriptions: subscriptions() }, 'The bot has started.');
    if (phase === 'stopped' && hasRun) logger.info({ bot, ...stats() }, 'The bot has stopped.');
  }

  /** Ends the heartbeat. */
  close(): void {
    this.#isClosed = true;
    this.#cancelNext();
  }

  pause(reason: string | undefined): void {
    this.#change(true, reason);
  }

  resume(reason: string | undefined): void {
    this.#change(false, reason);
  }

  /** Reports the first error at once, later ones with the next status: a handler may fail for every price. */
  fail(error: unknown): void {
    const isFirst = this.#error === undefined;
    this.#error = detailText(errorText(error));
    if (isFirst) this.report();
  }

  /** Publishes the status, and the next one after the interval. */
  report(): void {
    const { publisher, clock, logger, bot, intervalMs } = this.#options;
    this.#cancelNext();
    if (this.#isClosed) return;
    this.#cancelNext = clock.after(intervalMs, () => this.report());
    publisher.publish(CHANNELS.BOT_STATUS, this.#status()).catch((error: unknown) => {
      logger.debug({ bot, reason: String(error) }, 'Publishing the status failed');
    });
  }

  #change(isPaused: boolean, reason: string | undefined): void {
    this.#isPaused = isPaused;
    this.#reason = reason;
    this.#error = undefined;
    this.report();
  }

  #status(): BotStatus {
    const { bot, subscriptions, backlog, intervalMs, trouble } = this.#options;
    const { instance } = this.#options.publisher;
    const state = this.current;
    const detail = state === 'error' ? this.#error : joined(this.#reason, trouble());
    return {
      bot,
      state,
      ...(detail !== undefined && { detail }),
      ...(instance !== undefined && { instance }),
      ...(this.#startedAt !== undefined && { started_at: this.#startedAt }),
      subscriptions: subscriptions(),
      behind: backlog(),
      status_interval_ms: intervalMs,
      ...this.#account(),
    };
  }

  /** An error of `account` must not end the heartbeat. */
  #account(): Pick<BotStatus, 'position' | 'pnl'> {
    const { account, bot, logger } = this.#options;
    try {
      return account?.() ?? {};
    } catch (error) {
      logger.error({ bot, err: error }, 'The account of the bot is missing in its status: `account` failed');
      return {};
    }
  }
}

/** What an operator has said, then what the bot has found; undefined if neither. */
function joined(reason: string | undefined, trouble: string | undefined): string | undefined {
  if (reason === undefined || trouble === undefined)
    return trouble === undefined ? reason : detailText(trouble);
  return detailText(`${reason.replace(/[.]$/, '')}. ${trouble}`);
}

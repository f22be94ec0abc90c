// Counts the prices that were not fresh when a handler asked, and logs those that PriceWatch does not report.

import type { StaleDataError } from '../freshness/stale-data-error.ts';
import type { Clock } from '../runtime/clock.ts';
import { LogLimiter } from '../runtime/log-limiter.ts';
import type { Logger } from '../runtime/logger.ts';
import { printable } from '../runtime/printable.ts';
import type { PriceWatch } from './price-watch.ts';

/** Instruments that are followed for the log. Those beyond it are counted, and not logged. */
const MAX_SYMBOLS = 1_000;

export class StalePrices {
  readonly #bot: string;
  readonly #clock: Clock;
  readonly #log: LogLimiter;
  readonly #watch: PriceWatch;
  /** When the price of an instrument was first not fresh, by the monotonic clock. */
  readonly #since = new Map<string, number>();
  #count = 0;

  constructor(bot: string, clock: Clock, logger: Logger, watch: PriceWatch) {
    this.#bot = bot;
    this.#clock = clock;
    this.#watch = watch;
    this.#log = new LogLimiter(logger, clock);
  }

  /** Each price counts once, however often handlers ask. */
  get count(): number {
    return this.#count;
  }

  /** @param isNew whether it is the first time for this price */
  recordStale({ key, verdict, message: reason }: StaleDataError, isNew: boolean): void {
    if (isNew) this.#count++;
    if (this.#watch.reports(verdict, key)) return;
    if (this.#since.has(key) || this.#since.size >= MAX_SYMBOLS) return;
    this.#since.set(key, this.#clock.monotonic());
    const fields = { bot: this.#bot, symbol: printable(key), verdict, reason };
    this.#log.write('warn', this.#bot, fields, 'A price is not fresh: fresh() throws.');
  }

  recordFresh(symbol: string): void {
    const since = this.#since.get(symbol);
    if (since === undefined) return;
    this.#since.delete(symbol);
    const afterMs = Math.round(this.#clock.monotonic() - since);
    const fields = { bot: this.#bot, symbol: printable(symbol), afterMs };
    this.#log.write('info', this.#bot, fields, 'A price is fresh again.');
  }
}

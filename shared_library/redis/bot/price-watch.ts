// Reports when the prices that a bot uses stop being fresh, also while none arrives: in the log and for the status.

import type { PriceChannel } from '../channel/venue-channels.ts';
import type { Verdict } from '../freshness/verdict.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Unsubscribe } from '../runtime/emitter.ts';
import type { Logger } from '../runtime/logger.ts';
import { printable } from '../runtime/printable.ts';
import type { RedisSubscriber } from '../subscriber.ts';

export interface PriceWatchOptions {
  readonly bot: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly subscriber: RedisSubscriber;
  readonly channel: PriceChannel;
  readonly keys: readonly string[] | undefined;
  readonly maxAgeMs: number;
  /** A verdict was added to `trouble`, or has ended. */
  readonly onTrouble: () => void;
}

/** The instruments of one verdict. */
interface Group {
  readonly verdict: Verdict;
  /** Of the first instrument. */
  readonly reason: string;
  readonly symbols: string[];
}

/** Milliseconds between two checks. One takes 6 µs an instrument; a message costs nothing. */
const INTERVAL_MS = 1_000;
/** Milliseconds between two checks if handlers ask for prices that are not fresh. */
const MIN_INTERVAL_MS = 100;
/** Milliseconds after the start in which an instrument that was never fresh is not reported: it may be coming. */
const GRACE_MS = 10_000;
/** Milliseconds between two log lines of one verdict. A verdict that lasts longer is logged when they have passed. */
const LOG_INTERVAL_MS = 10_000;
/**
 * Milliseconds for which a verdict lasts before it is logged, if another one held before: after a takeover, other
 * verdicts come until each instrument is subscribed again.
 */
const SETTLE_MS = 5_000;
/** Instruments that are checked. A fault of the feed shows in each of them. */
const MAX_SYMBOLS = 1_000;
/** Verdicts named in the status. */
const MAX_GROUPS = 3;
/** These concern the whole channel, so they are known before its first price. */
const FEED_VERDICTS: ReadonlySet<Verdict> = new Set(['link_down', 'gateway_down', 'feed_down']);

/**
 * Checks the instruments of the bot every second. If the bot takes all, the one whose price came last stands for them.
 *
 * `quiet_market` of an instrument that has a price is not reported: the bot is called as soon as the price changes, and
 * a feed that is silent as a whole is `feed_down`. `recovering` ends within a moment, with another verdict.
 */
export class PriceWatch {
  /** The instrument whose price came last. */
  lastSymbol: string | undefined;
  readonly #options: PriceWatchOptions;
  readonly #wasFine = new Set<string>();
  #groups: ReadonlyMap<Verdict, Group> = new Map();
  /** The instruments that the last line of a verdict covers, and when it was written. */
  readonly #logged = new Map<Verdict, { readonly symbols: ReadonlySet<string>; readonly at: number }>();
  /** Since when a verdict may be logged, by the monotonic clock. */
  readonly #logFrom = new Map<Verdict, number>();
  #startedAt: number | undefined;
  #checkedAt = Number.NEGATIVE_INFINITY;
  /** When a line said that prices are not fresh; undefined if none did since all were fresh. */
  #since: number | undefined;
  #isClosed = false;
  #cancelNext: Unsubscribe = () => {};

  constructor(options: PriceWatchOptions) {
    this.#options = options;
  }

  /** Which prices are not fresh, and why, for the operator; undefined if all are fresh. */
  get trouble(): string | undefined {
    if (this.#groups.size === 0) return undefined;
    const groups = [...this.#groups.values()].sort((a, b) => b.symbols.length - a.symbols.length);
    return groups
      .slice(0, MAX_GROUPS)
      .map(
        (group) =>
          `No fresh price of ${this.#nameOf(group.symbols)}: ${group.verdict}. ${this.#reasonNow(group)}`,
      )
      .join(' ');
  }

  /** Whether the log and the status name this verdict. If it is new for the instrument, all are checked at once. */
  reports(verdict: Verdict, symbol: string): boolean {
    const isRunning = this.#startedAt !== undefined && !this.#isClosed;
    const canCheck = this.#options.clock.monotonic() - this.#checkedAt >= MIN_INTERVAL_MS;
    const isNew = isRunning && canCheck && !this.#groups.has(verdict);
    if (isNew && this.#judge(symbol)?.verdict === verdict) this.#check();
    return this.#groups.has(verdict);
  }

  start(): void {
    this.#startedAt = this.#options.clock.monotonic();
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelNext();
    this.#groups = new Map();
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#cancelNext = this.#options.clock.after(INTERVAL_MS, () => {
      this.#check();
      this.#schedule();
    });
  }

  #check(): void {
    const now = this.#options.clock.monotonic();
    this.#checkedAt = now;
    const groups = this.#judgeAll();
    if (groups === undefined) return;
    const before = this.#groups;
    this.#groups = groups;
    for (const { verdict } of groups.values())
      if (!before.has(verdict)) this.#logFrom.set(verdict, before.size === 0 ? now : now + SETTLE_MS);
    for (const group of groups.values()) this.#log(group);
    for (const verdict of before.keys()) if (!groups.has(verdict)) this.#forgetSymbols(verdict);
    if (groups.size === 0) this.#logEnd();
    if (before.size !== groups.size || [...groups.keys()].some((verdict) => !before.has(verdict)))
      this.#options.onTrouble();
  }

  /** Returns undefined while the subscriber recovers messages: what held before still holds. */
  #judgeAll(): ReadonlyMap<Verdict, Group> | undefined {
    const groups = new Map<Verdict, Group>();
    for (const symbol of this.#symbols()) {
      const trouble = this.#judge(symbol);
      if (trouble === undefined) continue;
      const { verdict, reason } = trouble;
      if (verdict === 'recovering') return undefined;
      const group = groups.get(verdict);
      if (group === undefined) groups.set(verdict, { verdict, reason, symbols: [symbol] });
      else group.symbols.push(symbol);
    }
    return groups;
  }

  /** Returns undefined if there is nothing to report. */
  #judge(symbol: string): { readonly verdict: Verdict; readonly reason: string } | undefined {
    const { subscriber, channel, maxAgeMs, clock } = this.#options;
    const { verdict, reason, message } = subscriber.latest(channel, symbol, { maxAgeMs });
    const isFine = verdict === 'fresh' || (verdict === 'quiet_market' && message !== undefined);
    if (isFine) this.#wasFine.add(symbol);
    const isStarting = clock.monotonic() - (this.#startedAt ?? 0) < GRACE_MS;
    if (isFine || (isStarting && !this.#wasFine.has(symbol))) return undefined;
    // Without a price, it is not known which instruments a bot that takes all of them gets.
    if (symbol === NO_SYMBOL && !FEED_VERDICTS.has(verdict)) return undefined;
    return { verdict, reason };
  }

  #symbols(): readonly string[] {
    const { keys } = this.#options;
    return keys?.slice(0, MAX_SYMBOLS) ?? [this.lastSymbol ?? NO_SYMBOL];
  }

  /** One line for all instruments of a verdict, and another one when instruments are added to it. */
  #log({ verdict, reason, symbols }: Group): void {
    const { bot, clock, logger } = this.#options;
    const now = clock.monotonic();
    if (now < (this.#logFrom.get(verdict) ?? now)) return;
    const logged = this.#logged.get(verdict);
    const added = symbols.find((symbol) => !logged?.symbols.has(symbol));
    if (added === undefined || (logged !== undefined && now - logged.at < LOG_INTERVAL_MS)) return;
    this.#logged.set(verdict, { symbols: new Set(symbols), at: now });
    this.#since ??= now;
    const fields = { bot, verdict, reason, instruments: this.#nameOf(symbols, added) };
    logger.warn(fields, 'Prices are not fresh.');
  }

  /** The verdict is logged again if it returns. */
  #forgetSymbols(verdict: Verdict): void {
    const logged = this.#logged.get(verdict);
    if (logged !== undefined) this.#logged.set(verdict, { symbols: new Set(), at: logged.at });
  }

  #logEnd(): void {
    const { bot, clock, logger } = this.#options;
    if (this.#since === undefined) return;
    const afterMs = Math.round(clock.monotonic() - this.#since);
    this.#since = undefined;
    logger.info({ bot, afterMs }, 'All prices are fresh again.');
  }

  /** Some reasons contain an age. */
  #reasonNow({ verdict, reason, symbols: [symbol = NO_SYMBOL] }: Group): string {
    const now = this.#judge(symbol);
    return now?.verdict === verdict ? now.reason : reason;
  }

  #nameOf(symbols: readonly string[], example = symbols[0] ?? NO_SYMBOL): string {
    if (this.#options.keys === undefined) return 'any instrument';
    if (symbols.length === 1) return printable(example);
    return `${symbols.length} of ${this.#symbols().length} instruments, such as ${printable(example)}`;
  }
}

const NO_SYMBOL = '';

// Decides which bars to publish, and with which revision: it compares what was built with what was published. Pure.

import type { Bar, DeepReadonly } from 'tickbus';
import type { BuiltBar, Settled } from './bar-builder.ts';

type BarId = Pick<Bar, 'symbol' | 'interval' | 'start'>;
type KnownBar = DeepReadonly<Bar>;

interface Published {
  readonly bar: KnownBar;
  /** False if the message with the revision of `bar` may not have been published. */
  readonly isCertain: boolean;
  /** Published by this process. */
  readonly isOurs: boolean;
}

/** A bar to publish. */
export interface Draft {
  readonly built: BuiltBar;
  readonly message: Bar;
}

/**
 * Every builder of a channel keeps one of these, also on standby, and shows it every bar that it built (`built`) and
 * every bar that was published (`seen`). So a builder that takes over publishes what its predecessor did not.
 *
 * - A revision is never used twice. If it may have been used, the next one is: the numbers can have holes.
 * - A bar of which trades are missing never replaces the bar of another builder, which may have had them.
 */
export class Publications {
  /** Bars that were not published, because too many waited or a limit was violated. Subscribers miss them. */
  lost = 0;
  /** Bars that were not revised, because another builder had published them and trades are missing here. */
  unrevised = 0;
  readonly #maxWaiting: number;
  readonly #built = new Map<string, BuiltBar>();
  readonly #published = new Map<string, Published>();
  /** The bars that differ from what was published, in the order in which they were built. */
  readonly #waiting = new Set<string>();
  #doubtedUntil = Number.NEGATIVE_INFINITY;

  /** @param maxWaiting the number of bars that can wait for a builder that publishes; default 50,000 */
  constructor(maxWaiting = 50_000) {
    this.#maxWaiting = maxWaiting;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  built(bar: BuiltBar): void {
    const id = idOf(bar);
    this.#built.set(id, bar);
    this.#compare(id);
    const published = this.#published.get(id);
    if (isNews(bar, published) && this.#isForeign(bar)) this.unrevised++;
    if (this.#waiting.size <= this.#maxWaiting) return;
    const [oldest = id] = this.#waiting;
    this.#waiting.delete(oldest);
    this.lost++;
  }

  /** A bar was published, by this process or another one. */
  seen(bar: KnownBar, isOurs: boolean): void {
    const id = idOf(bar);
    const known = this.#published.get(id);
    const isOlder = known !== undefined && bar.revision < known.bar.revision;
    const isKnown = known?.isCertain === true && bar.revision === known.bar.revision;
    if (isOlder || isKnown) return;
    this.#published.set(id, { bar, isCertain: true, isOurs });
    this.#compare(id);
  }

  /**
   * Compares the bars that were due before this process started with those that Redis keeps.
   *
   * @param isTrimmed Redis may have dropped older ones. A bar that is not in `stored` may then have been published. It
   *   is published with a higher revision if it is newer than the stored bars of its key, else only if it changes
   * @param until the time at the venue. A late trade can begin a bar that ended before it
   */
  start(stored: readonly KnownBar[], isTrimmed: boolean, until: number): void {
    const newest = new Map<string, number>();
    for (const bar of stored) {
      this.seen(bar, false);
      newest.set(keyOf(bar), Math.max(bar.end, newest.get(keyOf(bar)) ?? 0));
    }
    if (!isTrimmed) return;
    this.doubt(until);
    for (const [id, bar] of this.#built) {
      if (this.#published.has(id) || bar.end > (newest.get(keyOf(bar)) ?? Number.POSITIVE_INFINITY)) continue;
      const assumed = { ...this.#draft(bar).message, revision: 0 };
      this.#published.set(id, { bar: assumed, isCertain: true, isOurs: false });
      this.#compare(id);
    }
  }

  /**
   * Messages of BARS are missing, so bars that end before `until` may have revisions that are not known here. Their
   * next revision is at least the number of seconds of that time, which exceeds every revision that was counted.
   *
   * @param until the time at the venue, Unix milliseconds
   */
  doubt(until: number): void {
    this.#doubtedUntil = Math.max(this.#doubtedUntil, until);
  }

  /** The outcome of publishing a draft is unknown. The bar still waits. */
  unsettled({ message }: Draft): void {
    const id = idOf(message);
    const known = this.#published.get(id);
    // After the lease was lost, another builder may have published this revision or a newer one.
    if (known !== undefined && known.bar.revision >= message.revision) return;
    this.#published.set(id, { bar: message, isCertain: false, isOurs: true });
  }

  /** The next bars to publish. */
  drafts(limit: number): readonly Draft[] {
    const drafts: Draft[] = [];
    for (const id of this.#waiting) {
      const built = this.#built.get(id);
      if (built === undefined || drafts.length === limit) break;
      drafts.push(this.#draft(built));
    }
    return drafts;
  }

  /** The bar can never be published, because it violates a limit. */
  reject({ built }: Draft): void {
    if (this.#waiting.delete(idOf(built))) this.lost++;
  }

  /** These bars can no longer change. Those that end before `before` include bars that were not built here. */
  forget({ finished, before }: Settled): void {
    for (const bar of finished) this.#forget(idOf(bar));
    for (const [id, { bar }] of this.#published) if (bar.end < before) this.#forget(id);
  }

  #forget(id: string): void {
    if (this.#waiting.has(id)) return;
    this.#built.delete(id);
    this.#published.delete(id);
  }

  /** A bar that already waits keeps its place, so that bars are published in the order of their ends. */
  #compare(id: string): void {
    const built = this.#built.get(id);
    const published = this.#published.get(id);
    if (built !== undefined && isNews(built, published) && !this.#isForeign(built)) this.#waiting.add(id);
    else this.#waiting.delete(id);
  }

  /** A bar that has lost all its trades keeps the prices that were last published; `trades` is 0. */
  #draft(built: BuiltBar): Draft {
    const published = this.#published.get(idOf(built));
    const least = built.end <= this.#doubtedUntil ? Math.floor(this.#doubtedUntil / 1_000) : 0;
    const revision = Math.max(least, (published?.bar.revision ?? -1) + 1);
    const { prices, ...bar } = built;
    if (prices !== undefined) return { built, message: { ...bar, ...prices, revision } };
    const { vwap: _, ...withoutVwap } = bar;
    const { open, high, low, close } = published?.bar ?? { open: 0, high: 0, low: 0, close: 0 };
    const message = { ...withoutVwap, open, high, low, close, volume: 0, trades: 0, revision };
    return { built, message };
  }

  /** Whether another builder has, or may have, published the bar, and trades are missing here. */
  #isForeign(built: BuiltBar): boolean {
    const published = this.#published.get(idOf(built));
    const isOurs = published?.isOurs ?? built.end > this.#doubtedUntil;
    return !built.complete && !isOurs;
  }
}

function keyOf({ symbol, interval }: BarId): string {
  return `${symbol}/${interval}`;
}

function idOf(bar: BarId): string {
  return `${keyOf(bar)}/${bar.start}`;
}

/** Whether the bar differs from what is known to be published. An interval without trades needs no message. */
function isNews(built: BuiltBar, published: Published | undefined): boolean {
  const { prices } = built;
  if (published === undefined) return prices !== undefined;
  const { bar, isCertain } = published;
  if (!isCertain || built.complete !== bar.complete) return true;
  if (prices === undefined) return bar.trades !== 0;
  return (
    prices.open !== bar.open ||
    prices.high !== bar.high ||
    prices.low !== bar.low ||
    prices.close !== bar.close ||
    built.volume !== bar.volume ||
    built.trades !== bar.trades ||
    built.vwap !== bar.vwap
  );
}

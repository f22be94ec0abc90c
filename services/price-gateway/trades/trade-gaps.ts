// Finds the times in which trades of an instrument may be missing.

import type { TradeGap } from 'tickbus';
import type { FeedEvent } from '../feeds/feed.ts';
import type { ChannelMessage } from './trade-messages.ts';

/** The end of a time in which everything was published. */
interface Pause {
  /** Unix milliseconds, by the time of the venue, which can be a delayed one. */
  readonly from: number;
  readonly reason: TradeGap['reason'];
}

/**
 * An instrument is published from the moment when it is requested and the broker has acknowledged it, or sends its
 * first trade. That moment ends a gap, which begins with the last time at which everything was published.
 */
export class TradeGaps {
  readonly #isWanted: (symbol: string) => boolean;
  readonly #now: () => number;
  /** The instruments that are published now. */
  readonly #published = new Set<string>();
  /** By symbol, why the instrument is not published any more. */
  readonly #paused = new Map<string, Pause>();
  /** By symbol, up to when an earlier gateway is known to have published. `isTrade`: it is the time of a trade. */
  readonly #learned = new Map<string, { readonly time: number; readonly isTrade: boolean }>();
  /** Gaps that are not sent, one a symbol. */
  readonly #merged = new Map<string, TradeGap>();
  #acknowledged: readonly string[] = [];
  /** The latest time of an event of any instrument. */
  #venueTime: number | undefined;

  /** @param now Unix milliseconds */
  constructor(isWanted: (symbol: string) => boolean, now: () => number = Date.now) {
    this.#isWanted = isWanted;
    this.#now = now;
  }

  /** Takes note of a message that an earlier gateway has published. */
  learn({ type, data }: ChannelMessage): void {
    const before = this.#learned.get(data.symbol);
    if (type === 'trade_gap') this.#learned.set(data.symbol, { time: data.to, isTrade: false });
    else {
      const time = before?.isTrade ? Math.max(before.time, data.timestamp) : data.timestamp;
      this.#learned.set(data.symbol, { time, isTrade: true });
    }
  }

  /** Takes note of the time of the venue. */
  onFrame(events: readonly FeedEvent[]): void {
    const now = this.#now();
    for (const event of events) {
      // Events are not checked yet: a timestamp can be of any type, and NaN changes nothing.
      if (!('timestamp' in event) || typeof event.timestamp !== 'number') continue;
      // The clock of a venue can run ahead, even by hours for one event.
      const time = Math.min(event.timestamp, now);
      if (time > (this.#venueTime ?? 0)) this.#venueTime = time;
    }
  }

  /**
   * Of an instrument that the broker served and does not serve any more, trades are missing until it is served again.
   *
   * @param symbols all that the broker serves now
   */
  acknowledge(symbols: readonly string[]): readonly TradeGap[] {
    const served = new Set(symbols);
    for (const symbol of served.has('*') ? [] : this.#acknowledged)
      if (!served.has(symbol) && this.#published.has(symbol)) this.#pause(symbol, 'interrupted');
    this.#acknowledged = symbols;
    return this.#beginAcknowledged();
  }

  /** What is wanted may have changed. */
  sync(): readonly TradeGap[] {
    for (const symbol of this.#published) if (!this.#isWanted(symbol)) this.#pause(symbol, 'start');
    return this.#beginAcknowledged();
  }

  /** The instrument is published from now on. Returns the gap before it, unless it is published already. */
  begin(symbol: string): readonly TradeGap[] {
    if (this.#published.has(symbol)) return [];
    this.#published.add(symbol);
    const { from, reason = 'start' } = this.#paused.get(symbol) ?? {};
    this.#paused.delete(symbol);
    const to = this.#now();
    return [{ symbol, ...(from !== undefined && { from: Math.min(from, to) }), to, reason }];
  }

  /** Everything after the last frame may be missing. */
  interrupt(): void {
    this.#acknowledged = [];
    for (const symbol of this.#published) this.#pause(symbol, 'interrupted');
  }

  /** Adds the start to a gap without one, from what an earlier gateway has published. */
  complete(gap: TradeGap): TradeGap {
    if (gap.from !== undefined) return gap;
    const from = this.#learned.get(gap.symbol)?.time;
    return from === undefined ? gap : { ...gap, from: Math.min(from, gap.to) };
  }

  /** Keeps one gap for each symbol, which covers all that are added, until `take`. */
  merge(gap: TradeGap): void {
    const other = this.#merged.get(gap.symbol);
    this.#merged.set(gap.symbol, other === undefined ? gap : union(other, gap));
  }

  take(): readonly TradeGap[] {
    const gaps = [...this.#merged.values()];
    this.#merged.clear();
    return gaps;
  }

  #beginAcknowledged(): readonly TradeGap[] {
    return this.#acknowledged.flatMap((symbol) =>
      symbol !== '*' && this.#isWanted(symbol) ? this.begin(symbol) : [],
    );
  }

  #pause(symbol: string, reason: Pause['reason']): void {
    this.#published.delete(symbol);
    this.#paused.set(symbol, { from: this.#venueTime ?? this.#now(), reason });
  }
}

function union(one: TradeGap, other: TradeGap): TradeGap {
  const { from: _, count: __, ...rest } = other;
  const from = Math.min(one.from ?? 0, other.from ?? 0);
  const count = (one.count ?? 0) + (other.count ?? 0);
  return {
    ...rest,
    ...(from > 0 && { from }),
    to: Math.max(one.to, other.to),
    ...(count > 0 && { count }),
  };
}

// The last trades of one instrument that set its price, so that the venue can take them back.

import type { TradeChange, TradeEvent, TradeReference } from '@tickbus/capture';

/**
 * Trades of an instrument that are kept. An older one is not the price, unless the venue cancels all newer ones. With
 * 50,000 instruments they take about 100 MB.
 */
const MAX_TRADES = 32;

/** A trade that set the price. Immutable: if the object is the same, the price has not changed. */
export interface LastTrade {
  readonly id: string | undefined;
  readonly price: number;
  readonly size: number;
  /** The venue's time, Unix milliseconds. */
  readonly time: number;
  /** The venue has cancelled it, or corrected it to a trade that does not set the price. */
  readonly isCancelled: boolean;
  /** As the venue sent it, before it was corrected. */
  readonly sent: Pick<TradeEvent, 'price' | 'size' | 'timestamp'>;
}

/** What is known of the trades before the first one of a list, for example from an earlier gateway. */
export interface FormerTrades {
  /** Older trades are late, Unix milliseconds. */
  readonly since: number;
  /** When the last of them happened, Unix milliseconds. Undefined if none is known that the venue has not cancelled. */
  readonly time?: number | undefined;
  /** The price of the last one that counts. Of the time `since`, only a trade with this price is not late. */
  readonly price?: number | undefined;
  /** All trades of the time `since` are late: the venue has changed the last one, and may send it again as it was. */
  readonly areVoid?: boolean;
}

export class LastTrades {
  /** The oldest first. */
  readonly #trades: LastTrade[] = [];
  #last: LastTrade | undefined;
  /**
   * Older trades are late. The last trade's time, unless it is ahead of the venue's clock (`VenueLead`), so that a
   * wrong time does not make later trades late. A cancelled trade counts: the venue may send it again.
   */
  #since: number;
  /** `since` before the first trade here: trades of that time are not among these. */
  readonly #formerSince: number;
  /** Until the first trade. */
  #former: FormerTrades | undefined;
  /** Whether the feed was interrupted since: the venue may send trades of the last time again. */
  #mayRepeat = false;

  constructor(former?: FormerTrades) {
    this.#formerSince = former?.since ?? Number.NEGATIVE_INFINITY;
    this.#since = this.#formerSince;
    this.#former = former;
  }

  /** For another list that continues this one. */
  get known(): FormerTrades {
    const price = this.#last?.price ?? this.#former?.price;
    return { since: this.#since, time: this.time, price, areVoid: this.#isNewestVoid };
  }

  /** When the last trade happened, Unix milliseconds; undefined without one. */
  get time(): number | undefined {
    return this.#last?.time ?? this.#former?.time;
  }

  /**
   * The time up to which trades are void for a list that knows no more than the price and its time, Unix milliseconds.
   * Undefined if the last trade says enough.
   */
  get voidUntil(): number | undefined {
    if (this.#last !== undefined && !this.#isNewestVoid) return undefined;
    return Number.isFinite(this.#since) ? this.#since : undefined;
  }

  /** The newest trade that counts. */
  get last(): LastTrade | undefined {
    return this.#last;
  }

  /**
   * Adds a trade. False, without an effect, if it is late.
   *
   * @param since the time before which trades are then late, Unix milliseconds
   */
  add(trade: TradeEvent, since: number): boolean {
    const { trade_id: id, price, size, timestamp: time } = trade;
    if (time < this.#since) return false;
    const { price: formerPrice = price, areVoid = false } = this.#former ?? {};
    if (time === this.#since && (areVoid || price !== formerPrice)) return false;
    this.#former = undefined;
    if (this.#mayRepeat) {
      const isSameTime = time === this.#trades.at(-1)?.time;
      if (isSameTime && this.#mayBeKnown(trade)) return false;
      this.#mayRepeat = isSameTime;
    }
    this.#last = { id, price, size, time, isCancelled: false, sent: { price, size, timestamp: time } };
    this.#since = since;
    this.#trades.push(this.#last);
    if (this.#trades.length > MAX_TRADES) this.#trades.shift();
    return true;
  }

  /**
   * Takes a trade back, or replaces it.
   *
   * @returns `price` if the price changes with it; `unmatched` if the trade is not among those that are kept
   */
  change(event: TradeChange): 'price' | 'unchanged' | 'unmatched' {
    const index = this.#indexOf(event.original);
    const trade = this.#trades[index];
    if (trade === undefined) return this.#changeFormer(event.original);
    if (trade.isCancelled) return 'unchanged';
    const before = this.#last;
    this.#trades[index] =
      event.kind === 'cancel' ? { ...trade, isCancelled: true } : corrected(trade, event.corrected);
    this.#last = this.#trades.findLast(({ isCancelled }) => !isCancelled);
    return this.#last === before ? 'unchanged' : 'price';
  }

  interrupt(): void {
    this.#mayRepeat = this.#trades.length > 0;
  }

  /** Whether the venue has cancelled the newest trade, or changed its time. */
  get #isNewestVoid(): boolean {
    const newest = this.#trades.at(-1);
    if (newest === undefined) return this.#former?.areVoid === true;
    return newest.isCancelled || newest.time !== newest.sent.timestamp;
  }

  /**
   * Of the last trade before the first one here, only the price and the time are known. Another one with the same price
   * may be meant: then, no trade is the price until the next one.
   */
  #changeFormer({ price, timestamp }: TradeReference): 'price' | 'unmatched' {
    const former = this.#former;
    const isSameTime = timestamp === undefined || timestamp === former?.time;
    if (former?.price !== price || !isSameTime) return 'unmatched';
    this.#former = { since: former.since, areVoid: true };
    return 'price';
  }

  /** Whether a trade of the last time may be one of those that were sent before the interruption. */
  #mayBeKnown(trade: TradeEvent): boolean {
    if (trade.timestamp === this.#formerSince) return true;
    if (this.#trades.some((known) => isSame(known, trade))) return true;
    // Trades of the same time may have been forgotten.
    return this.#trades.length === MAX_TRADES && this.#trades[0]?.time === trade.timestamp;
  }

  /**
   * Identifiers can repeat on another day, so the newest trade counts. Exchanges that share a feed can use one for
   * different trades, so price and size must be those of the trade, as it was sent or corrected.
   */
  #indexOf({ trade_id, price, size, timestamp }: TradeReference): number {
    return this.#trades.findLastIndex((trade) => {
      if (trade_id !== undefined && trade.id !== undefined)
        return (
          trade.id === trade_id && [trade, trade.sent].some((one) => one.price === price && one.size === size)
        );
      const isSameTime = timestamp === undefined || timestamp === trade.time;
      return !trade.isCancelled && isSameTime && trade.price === price && trade.size === size;
    });
  }
}

/** By identifier, price and size, as the trade was sent or corrected. Without an identifier, also by time. */
function isSame(
  { id, sent, ...known }: LastTrade,
  { trade_id, price, size, timestamp }: TradeEvent,
): boolean {
  if (trade_id !== undefined && trade_id !== id) return false;
  return [sent, { ...known, timestamp: known.time }].some(
    (one) =>
      (trade_id !== undefined || one.timestamp === timestamp) && one.price === price && one.size === size,
  );
}

/** A corrected trade keeps its place. */
function corrected(
  trade: LastTrade,
  {
    trade_id,
    price,
    size,
    timestamp,
    excluded_from,
  }: Extract<TradeChange, { kind: 'correction' }>['corrected'],
): LastTrade {
  return {
    id: trade_id ?? trade.id,
    price,
    size,
    time: timestamp ?? trade.time,
    isCancelled: excluded_from?.includes('last') === true,
    sent: trade.sent,
  };
}

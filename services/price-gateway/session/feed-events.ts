// Publishes prices, halts and missing prices from a feed's events.

import {
  type BandEvent,
  essentialsOf,
  isValidEvent,
  type MarketEvent,
  problemOf,
  type TradeChange,
  type TradingEvent,
} from '@tickbus/capture';
import { printable } from 'tickbus/admin';
import type { InstrumentTracker } from '../demand/instrument-tracker.ts';
import type { FeedEvent } from '../feeds/feed.ts';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import type { Counters, DropReason } from '../monitoring/stats.ts';
import type { FeedPublisher } from '../prices/feed-publisher.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { SessionTrades } from '../trades/session-trades.ts';

export interface FeedEventsOptions {
  /** Must be new. */
  readonly book: PriceBook;
  readonly publisher: Pick<FeedPublisher, 'publishPrice'>;
  readonly instruments: InstrumentTracker;
  /** Undefined if no trades are published. */
  readonly trades?: SessionTrades | undefined;
  /** Called when the status of an instrument has changed. */
  readonly onStatusChange: () => void;
  /** An event was valid, whether or not it yielded a price. */
  readonly onUnderstood: (symbol: string) => void;
  /** An event was dropped because it is not valid. @param reason a sentence */
  readonly onInvalid: (reason: string, symbols: readonly string[]) => void;
  readonly counters: Counters;
  readonly warnings: RateLimitedLog;
}

/** Warnings for the drop reasons that concern the operator. The others are normal. */
const DROP_WARNINGS: Readonly<Partial<Record<DropReason, string>>> = {
  invalid: 'Dropped an event with a value that is not plausible.',
  unmatched: 'The venue changed a trade that is not among the last 32 that set the price. PRICE_DATA stays.',
  limit: 'Dropped an event: 50,000 instruments, the maximum, already have prices. Request fewer by name.',
  unrequested: 'Dropped events of instruments that nobody requests. If they continue, check the feed.',
};

export class FeedEvents {
  readonly #options: FeedEventsOptions;
  readonly #book: PriceBook;

  constructor(options: FeedEventsOptions) {
    this.#options = options;
    this.#book = options.book;
  }

  apply(events: readonly FeedEvent[]): void {
    this.#options.trades?.onFrame(events);
    for (const unchecked of events) {
      const isValid = isValidEvent(unchecked);
      if (!isValid) this.#dropInvalid(unchecked, problemOf(unchecked));
      const event = isValid ? unchecked : essentialsOf(unchecked);
      if (event === undefined) continue;
      switch (event.kind) {
        case 'halt':
        case 'resume':
          this.#applyStatus(event);
          break;
        case 'band':
          this.#applyBand(event);
          break;
        default:
          this.#applyToBook(event);
      }
    }
  }

  /** @param example the symbol of one of the events */
  drop(reason: DropReason, events: number, example: unknown): void {
    const { counters, warnings } = this.#options;
    counters.dropped[reason] += events;
    const warning = DROP_WARNINGS[reason];
    if (warning !== undefined)
      warnings.warn(reason, { events, example: printable(String(example)) }, warning);
  }

  /** The feed was interrupted. */
  interrupt(): void {
    this.#book.interrupt();
    this.#options.trades?.interrupt();
  }

  /** Bands end with regular trading hours, also if the venue sends nothing more. Called with every heartbeat. */
  endBands(): void {
    for (const end of this.#book.bandsEndedBy(this.#book.venueNow)) this.#applyBand(end);
  }

  /** A recording begins, whose times may be earlier than those of the events before. */
  forgetAll(): void {
    const { instruments, onStatusChange } = this.#options;
    this.#book.forgetAll();
    instruments.forgetTimes();
    onStatusChange();
  }

  /** Forgets the prices of all other instruments. */
  retain(symbols: ReadonlySet<string>): void {
    this.#book.retain(symbols);
  }

  #applyStatus(event: TradingEvent): void {
    const { instruments, onStatusChange } = this.#options;
    const { kind, symbol, timestamp } = event;
    const detail = kind === 'halt' ? event.detail && printable(event.detail, MAX_DETAIL) : undefined;
    const isNewest =
      kind === 'halt' ? instruments.halt(symbol, detail, timestamp) : instruments.resume(symbol, timestamp);
    if (isNewest) onStatusChange();
    else this.drop('late', 1, symbol);
  }

  #applyBand(event: BandEvent): void {
    const { publisher, instruments, onStatusChange } = this.#options;
    const price = this.#book.setBand(event);
    if (price === 'invalid') return this.#dropInvalid(event, 'the symbol of a band is malformed');
    if (price === 'late' || price === 'limit') return this.drop(price, 1, event.symbol);
    if (typeof price === 'object') publisher.publishPrice(price);
    const hasNewPrice = price !== undefined && instruments.setPriced(event.symbol, price !== 'unpriced');
    if (instruments.setBand(event) || hasNewPrice) onStatusChange();
  }

  #applyToBook(event: MarketEvent | TradeChange): void {
    const { publisher, instruments, trades, onStatusChange, onUnderstood } = this.#options;
    const { kind, symbol } = event;
    const price = this.#book.apply(event);
    if (price === 'invalid') return this.#dropInvalid(event, `the symbol of a ${kind} is malformed`);
    onUnderstood(symbol);
    const isUnpriced = price === 'unpriced';
    if (typeof price !== 'string') publisher.publishPrice(price);
    else this.drop(price, 1, symbol);
    if (event.kind !== 'quote' && price !== 'limit') trades?.add(event);
    if (typeof price === 'string' && !isUnpriced) return;
    const hasResumed = kind === 'trade' && instruments.traded(symbol, event.timestamp);
    if (instruments.setPriced(symbol, !isUnpriced) || hasResumed) onStatusChange();
  }

  #dropInvalid({ symbol }: FeedEvent, problem = ''): void {
    const reason = printable(problem, MAX_DETAIL);
    this.drop('invalid', 1, `${String(symbol)}: ${reason}`);
    this.#options.onInvalid(`${reason}.`, typeof symbol === 'string' ? [symbol] : []);
  }
}

/** Characters of a text of the venue. */
const MAX_DETAIL = 300;

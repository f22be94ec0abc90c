// Publishes prices, halts and missing prices from a feed's events.

import type { MarketEvent } from '@tickbus/capture';
import { printable } from 'tickbus/admin';
import type { InstrumentTracker } from '../demand/instrument-tracker.ts';
import type { FeedEvent } from '../feeds/feed.ts';
import type { RateLimitedLog } from '../monitoring/rate-limited-log.ts';
import type { Counters, DropReason } from '../monitoring/stats.ts';
import type { FeedPublisher } from '../prices/feed-publisher.ts';
import { PriceBook } from '../prices/price-book.ts';

export interface FeedEventsOptions {
  readonly venue: string | undefined;
  readonly publisher: Pick<FeedPublisher, 'publishPrice'>;
  readonly instruments: InstrumentTracker;
  /** Called when the status of an instrument has changed. */
  readonly onStatusChange: () => void;
  /** An event was valid, whether or not it yielded a price. */
  readonly onUnderstood: (symbol: string) => void;
  /** An event was dropped because it is not valid. @param reason a sentence */
  readonly onInvalid: (reason: string, symbols: readonly string[]) => void;
  readonly counters: Counters;
  readonly warnings: RateLimitedLog;
}

/** Warnings for the drop reasons that concern the operator. Late events and unpriced quotes are normal, so they
 * cause no warning. */
const DROP_WARNINGS: Readonly<Partial<Record<DropReason, string>>> = {
  invalid: 'Dropped an event with an invalid symbol or number.',
  limit: 'Dropped an event: 50,000 instruments, the maximum, already have prices. Request fewer by name.',
  unrequested: 'Dropped events of instruments that nobody requests. If they continue, check the feed.',
};

export class FeedEvents {
  readonly #options: FeedEventsOptions;
  readonly #book: PriceBook;

  constructor(options: FeedEventsOptions) {
    this.#options = options;
    this.#book = new PriceBook(options.venue);
  }

  apply(events: readonly FeedEvent[]): void {
    const { instruments, onStatusChange } = this.#options;
    for (const event of events) {
      switch (event.kind) {
        case 'halt':
          instruments.halt(event.symbol, event.detail);
          onStatusChange();
          break;
        case 'resume':
          instruments.resume(event.symbol);
          onStatusChange();
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
  }

  /** Forgets the prices of all other instruments. */
  retain(symbols: ReadonlySet<string>): void {
    this.#book.retain(symbols);
  }

  #applyToBook(event: MarketEvent): void {
    const { publisher, instruments, onStatusChange, onUnderstood, onInvalid } = this.#options;
    const { kind, symbol } = event;
    const price = this.#book.apply(event);
    const isUnpriced = price === 'unpriced';
    if (typeof price !== 'string') publisher.publishPrice(price);
    else this.drop(price, 1, symbol);
    if (price === 'invalid')
      onInvalid(`An event of ${printable(String(symbol), 100)} has an invalid symbol or number.`, [symbol]);
    else onUnderstood(symbol);
    if (typeof price === 'string' && !isUnpriced) return;
    const hasResumed = kind === 'trade' && instruments.traded(symbol);
    if (instruments.setPriced(symbol, !isUnpriced) || hasResumed) onStatusChange();
  }
}

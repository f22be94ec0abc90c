// Price bands: a bid below the band and an offer above it cannot be executed, so they are no part of a price.

import type { BandEvent, QuoteEvent } from '@tickbus/capture';
import { expect, it } from 'vitest';
import { PriceBook } from '../../prices/price-book.ts';
import { AT, quote, trade } from '../gateway.fixture.ts';

const band: BandEvent = { kind: 'band', symbol: 'AAPL', limit_down: 95, limit_up: 105, timestamp: AT };

/** The sides of the price after a quote at `timestamp`, in a book with this band and a trade. */
function sidesAfter(event: BandEvent, bid: number, ask: number, timestamp = event.timestamp + 1) {
  const book = new PriceBook();
  book.setBand(event);
  book.apply({ ...trade(100), timestamp: event.timestamp });
  const price = book.apply({ ...quote(bid, ask), timestamp } as QuoteEvent);
  return typeof price === 'string' ? price : { price: price.price, bid: price.bid, ask: price.ask };
}

it('leaves out a side outside of the band', () => {
  expect(sidesAfter(band, 99, 101)).toEqual({ price: 100, bid: 99, ask: 101 });
  expect(sidesAfter(band, 95, 105)).toEqual({ price: 100, bid: 95, ask: 105 });
  expect(sidesAfter(band, 94.99, 101)).toEqual({ price: 100, bid: undefined, ask: 101 });
  expect(sidesAfter(band, 99, 105.01)).toEqual({ price: 100, bid: 99, ask: undefined });
  // A bid at the upper limit can be executed; the offers that meet it are above the band.
  expect(sidesAfter(band, 105, 107)).toEqual({ price: 100, bid: 105, ask: undefined });
});

it('has no midpoint between sides of which one cannot be executed', () => {
  const book = new PriceBook();
  book.setBand(band);
  expect(book.apply(quote(60, 101))).toBe('unpriced');
});

it('can have one limit only', () => {
  const { limit_up, ...withoutUp } = band;
  expect(sidesAfter(withoutUp, 90, 200)).toEqual({ price: 100, bid: undefined, ask: 200 });
});

it('ends with the band, and with an interruption', () => {
  const { limit_up, limit_down, ...ended } = band;
  expect(sidesAfter(ended, 90, 200)).toEqual({ price: 100, bid: 90, ask: 200 });
  const book = new PriceBook();
  book.setBand(band);
  book.interrupt();
  expect(book.apply(quote(90, 200))).toMatchObject({ bid: 90, ask: 200 });
});

it.each([
  ['winter', Date.UTC(2026, 0, 2, 15, 30), Date.UTC(2026, 0, 2, 21)],
  ['summer', Date.UTC(2026, 6, 1, 15, 30, 7, 500), Date.UTC(2026, 6, 1, 20)],
])('ends at 16:00 in New York in %s, also without a message', (_, timestamp, close) => {
  const event = { ...band, timestamp };
  expect(sidesAfter(event, 90, 200, close - 1)).toEqual({ price: 100, bid: undefined, ask: undefined });
  expect(sidesAfter(event, 90, 200, close)).toEqual({ price: 100, bid: 90, ask: 200 });
});

it('is replaced by a newer band, and not by an older one that arrives late', () => {
  const book = new PriceBook();
  book.setBand({ ...band, timestamp: AT + 10 });
  expect(book.setBand({ ...band, limit_up: 200, timestamp: AT + 9 })).toBe('late');
  expect(book.apply({ ...quote(99, 106), timestamp: AT + 11 } as QuoteEvent)).toBe('unpriced');
  book.interrupt();
  expect(book.setBand({ ...band, timestamp: AT + 9 })).toBe('late');
  // The venue sends its last band again.
  expect(book.setBand({ ...band, timestamp: AT + 10 })).toBeUndefined();
  expect(book.setBand({ ...band, limit_up: 106, timestamp: AT + 12 })).toBeUndefined();
  expect(book.apply({ ...quote(99, 106), timestamp: AT + 13 } as QuoteEvent)).toMatchObject({ ask: 106 });
});

it('is not in force if the venue sends it after regular trading hours', () => {
  const close = Date.UTC(2026, 0, 2, 21);
  const book = new PriceBook();
  book.apply({ ...quote(90, 200), timestamp: close - 1 } as QuoteEvent);
  expect(book.setBand({ ...band, timestamp: close })).toBeUndefined();
  expect(book.bandsEndedBy(close + 86_400_000)).toEqual([]);
});

it('never leaves out a trade: the Plan exempts auctions, and reports can be late', () => {
  const book = new PriceBook();
  book.setBand(band);
  expect(book.apply(trade(120))).toMatchObject({ price: 120 });
});

// A new gateway goes on where the one before it ended: it publishes nothing older, whatever the venue sends again.

import type { MarketEvent } from '@tickbus/capture';
import fc from 'fast-check';
import type { Price } from 'tickbus';
import { expect, it } from 'vitest';
import { PriceBook, type PublishedPrice } from '../../prices/price-book.ts';
import { AT, quote, trade } from '../gateway.fixture.ts';

/** The book of a new gateway, after one that has published these prices. */
function continued(published: readonly PublishedPrice[], now = AT + 60_000): PriceBook {
  const book = new PriceBook(undefined, () => now);
  book.continueFrom(published);
  return book;
}

/** The last price after these events, which were published at once. */
function lastOf(...events: MarketEvent[]): PublishedPrice {
  const book = new PriceBook();
  const data = events.map((event) => book.apply(event)).findLast((price) => typeof price === 'object');
  return { at: data?.timestamp ?? 0, data: data as Price };
}

it.each([5, 50, 500])('takes the last %i trades and quotes of the venue for late, but the last', (count) => {
  const trades = Array.from({ length: count }, (_, n) => ({ ...trade(100 + n), timestamp: AT + n }));
  const quotes = trades.map(({ timestamp }) => ({ ...quote(timestamp % 90, 200), timestamp }));
  const book = continued([lastOf(...trades, ...quotes)]);
  expect(
    [...trades, ...quotes].map((event) => book.apply(event)).filter((price) => price === 'late'),
  ).toHaveLength(2 * count - 2);
  expect(book.apply({ ...trade(7), timestamp: AT + count })).toMatchObject({ price: 7 });
});

it('follows the trade that was the price, if others have the same time', () => {
  const sent = [100, 101, 102].map((price) => trade(price));
  const book = continued([lastOf(...sent)]);
  expect(sent.map((one) => book.apply(one))).toMatchObject(['late', 'late', { price: 102 }]);
  expect(book.apply(trade(103))).toMatchObject({ price: 103 });
});

it('does not take a trade for the price before the venue has sent it', () => {
  const book = continued([lastOf(trade(100))]);
  expect(book.apply({ ...quote(50, 52), timestamp: AT + 1 })).toMatchObject({
    price: 51,
    source: 'midpoint',
  });
});

it('knows that the clock of the venue runs ahead', () => {
  const ahead = 20_000;
  const sent = [1, 2, 3].map((n) => ({ ...trade(100 + n, `S${n}`), timestamp: AT + ahead + n }));
  const published = sent.map((one) => ({ ...lastOf(one), at: AT }));
  const book = continued(published, AT + 2_000);
  expect(book.apply({ ...trade(99, 'S1'), timestamp: AT + ahead })).toBe('late');
  expect(book.apply({ ...trade(99, 'S1'), timestamp: AT + ahead + 2 })).toMatchObject({ price: 99 });
});

it('does not need the clock of the gateway to know that events are late, even with one instrument', () => {
  // The clock of the gateway is 20 s behind those of the venue and of Redis.
  const book = continued([{ ...lastOf(trade(100)), at: AT + 5 }], AT - 18_000);
  expect(book.apply({ ...trade(99), timestamp: AT - 1 })).toBe('late');
  expect(book.apply({ ...quote(90, 92), timestamp: AT + 1 })).toMatchObject({ price: 91 });
});

it('accepts events after a price whose time was far in the future', () => {
  const future = { ...trade(100), timestamp: AT + 10 * 3_600_000 };
  const book = continued([{ ...lastOf(future), at: AT }]);
  expect(book.apply({ ...trade(101), timestamp: AT + 60_001 })).toMatchObject({ price: 101 });
});

it('does not compare with the prices of another venue', () => {
  const { at, data } = lastOf(trade(100));
  const book = continued([{ at, data: { ...data, venue: 'other' } }]);
  expect(book.apply({ ...trade(99), timestamp: AT - 1 })).toMatchObject({ price: 99 });
});

it('never goes back in time, wherever a gateway takes over in a random session', () => {
  const event = fc.record({
    kind: fc.constantFrom('trade', 'quote'),
    price: fc.integer({ min: 1, max: 3 }),
    step: fc.integer({ min: 0, max: 2 }),
    symbol: fc.constantFrom('AAPL', 'MSFT'),
  });
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(), (steps, at, from) => {
      let time = AT;
      const events = steps.map(({ kind, price, step, symbol }) => {
        time += step;
        const one = kind === 'trade' ? trade(price, symbol) : quote(price, price + 1, symbol);
        return { ...one, timestamp: time };
      });
      const takeover = at % events.length;
      const before = new PriceBook(undefined, () => time);
      const published: Price[] = [];
      for (const one of events.slice(0, takeover)) {
        const price = before.apply(one);
        if (typeof price === 'object') published.push(price);
      }
      const last = new Map(published.map((data) => [data.symbol, { at: data.timestamp, data }]));
      const book = continued([...last.values()], time);
      // To the new connection, the venue sends again what happened since some time.
      for (const one of events.slice(from % (takeover + 1))) {
        const price = book.apply(one);
        if (typeof price === 'object') published.push(price);
      }
      for (const symbol of ['AAPL', 'MSFT'])
        for (const part of ['trade_time', 'quote_time'] as const) {
          const times = published.flatMap((price) => (price.symbol === symbol ? (price[part] ?? []) : []));
          expect(times).toEqual(times.toSorted((a, b) => a - b));
        }
    }),
  );
});

// Market events to prices: last trade, midpoint before the first trade, latest sides, no invalid values.

import { isValidEvent, type MarketEvent } from '@tickbus/capture';
import fc from 'fast-check';
import { price as schema } from 'tickbus';
import { expect, it } from 'vitest';
import { PriceBook } from '../../prices/price-book.ts';
import { AT, quote, trade } from '../gateway.fixture.ts';

it('is the midpoint of the quote before the first trade', () => {
  expect(new PriceBook('iex').apply(quote(100, 101))).toEqual({
    symbol: 'AAPL',
    price: 100.5,
    source: 'midpoint',
    cause: 'quote',
    timestamp: AT,
    quote_time: AT,
    bid: 100,
    bid_size: 2,
    ask: 101,
    ask_size: 3,
    venue: 'iex',
  });
});

it('is the last trade after the first one, also after a quote', () => {
  const book = new PriceBook();
  expect(book.apply(trade(100.25))).toEqual({
    symbol: 'AAPL',
    price: 100.25,
    size: 10,
    source: 'trade',
    cause: 'trade',
    timestamp: AT,
    trade_time: AT,
  });
  expect(book.apply({ ...quote(90, 91), timestamp: AT + 1 })).toEqual({
    symbol: 'AAPL',
    price: 100.25,
    source: 'trade',
    cause: 'quote',
    timestamp: AT + 1,
    trade_time: AT,
    quote_time: AT + 1,
    bid: 90,
    bid_size: 2,
    ask: 91,
    ask_size: 3,
  });
});

it('keeps instruments separate', () => {
  const book = new PriceBook();
  book.apply(trade(100, 'AAPL'));
  expect(book.apply(quote(10, 12, 'MSFT'))).toMatchObject({ symbol: 'MSFT', price: 11, source: 'midpoint' });
});

it('yields no price for a one-sided quote, and omits a missing side', () => {
  const book = new PriceBook();
  const bidOnly = { ...quote(100, 0), ask_size: 0 } as MarketEvent;
  expect(book.apply(bidOnly)).toBe('unpriced');
  expect(book.apply(trade(99))).toEqual({
    symbol: 'AAPL',
    price: 99,
    size: 10,
    source: 'trade',
    cause: 'trade',
    timestamp: AT,
    trade_time: AT,
    quote_time: AT,
    bid: 100,
    bid_size: 2,
  });
});

it.each(['NIFTY 50', 'SPX 24DEC C5000', 'SUSHI/USDT:USDT', 'A'.repeat(128)])(
  'accepts the symbol %s',
  (symbol) => {
    expect(new PriceBook().apply(trade(1, symbol))).toMatchObject({ symbol });
  },
);

it('drops an event that is older than what it would replace', () => {
  const book = new PriceBook();
  book.apply({ ...trade(100), timestamp: AT });
  book.apply({ ...quote(99, 101), timestamp: AT + 5 });
  expect(book.apply({ ...trade(90), timestamp: AT - 1 })).toBe('late');
  expect(book.apply({ ...quote(80, 82), timestamp: AT + 4 })).toBe('late');
  // Older than the quote, but newer than the last trade.
  expect(book.apply({ ...trade(101), timestamp: AT + 2 })).toMatchObject({
    price: 101,
    bid: 99,
    timestamp: AT + 2,
    trade_time: AT + 2,
    quote_time: AT + 5,
  });
});

it('accepts several trades of the same time', () => {
  const book = new PriceBook();
  expect([100, 101, 100].map((price) => book.apply(trade(price)))).toMatchObject([
    { price: 100 },
    { price: 101 },
    { price: 100 },
  ]);
});

it.each([5, 50, 500])('drops the last %i trades that a venue sends again after an interruption', (count) => {
  const book = new PriceBook();
  // Three trades have the same time.
  const sent = Array.from({ length: count }, (_, n) => ({
    ...trade(100 + n),
    timestamp: AT + Math.floor(n / 3),
  }));
  for (const one of sent) book.apply(one);
  book.interrupt();
  expect(sent.map((one) => book.apply(one))).toEqual(Array(count).fill('late'));
  const at = { timestamp: AT + count };
  expect(book.apply({ ...trade(7), ...at })).toMatchObject({ price: 7, trade_time: AT + count });
  expect(book.apply({ ...trade(8), ...at })).toMatchObject({ price: 8 });
});

it('accepts later events after one whose time is far in the future', () => {
  const book = new PriceBook(undefined, () => AT);
  book.apply({ ...trade(100), timestamp: AT + 10 * 3_600_000 });
  expect(book.apply({ ...trade(101), timestamp: AT })).toMatchObject({ price: 101, trade_time: AT });
});

it('never goes back if the clock of the venue runs ahead', () => {
  let now = AT - 5_000;
  const book = new PriceBook(undefined, () => now);
  const sent = Array.from({ length: 20 }, (_, n) => ({ ...trade(100 + n), timestamp: AT + n * 100 }));
  for (const one of sent) {
    // Their delays differ.
    now = one.timestamp - 5_000 + (one.timestamp % 7);
    expect(book.apply(one)).toMatchObject({ trade_time: one.timestamp });
  }
  book.interrupt();
  now += 500;
  expect(sent.map((one) => book.apply(one))).toEqual(Array(20).fill('late'));
  // A wrong time of one event.
  const later = AT + 2_500;
  expect(book.apply({ ...trade(120), timestamp: AT + 3_600_000 })).toMatchObject({ price: 120 });
  now += 2_000;
  expect(book.apply({ ...trade(121), timestamp: later + 2_000 })).toMatchObject({ price: 121 });
});

it('leaves out a quote from before an interruption, which may have been withdrawn since', () => {
  const book = new PriceBook();
  book.apply(quote(99, 101));
  book.apply(trade(100));
  book.interrupt();
  const price = book.apply({ ...trade(100.5), timestamp: AT + 60_000 });
  expect(price).toMatchObject({ price: 100.5, quote_time: AT });
  for (const field of ['bid', 'bid_size', 'ask', 'ask_size']) expect(price).not.toHaveProperty(field);
  expect(book.apply({ ...quote(90, 91), timestamp: AT - 1 })).toBe('late');
  // The venue sends it again.
  expect(book.apply(quote(99, 101))).toMatchObject({ price: 100.5, bid: 99, ask: 101 });
});

it('accepts negative prices, as of spreads and futures', () => {
  expect(new PriceBook().apply(quote(-2, -1))).toMatchObject({ price: -1.5 });
});

it.each([
  ['no symbol', ''],
  ['past the limit', 'A'.repeat(129)],
  ['with two blanks in a row', 'NIFTY  50'],
  ['with a blank at its end', 'AAPL '],
  ['with a bidirectional mark', 'AAPL\u202e'],
  ['with an invisible character', 'AA\u200bPL'],
  ['with a terminal control', '\u001b[2J'],
])('rejects a symbol %s', (_, symbol) => {
  const book = new PriceBook();
  expect(book.apply(trade(1, symbol))).toBe('invalid');
  expect(book.apply(quote(1, 2, symbol))).toBe('invalid');
});

it('prices at most 50,000 instruments, and goes on with those', () => {
  const book = new PriceBook();
  for (let index = 0; index < 50_000; index++)
    expect(typeof book.apply(trade(1, `S${index}`))).toBe('object');
  expect(book.apply(trade(1, 'ONE-MORE'))).toBe('limit');
  expect(book.apply(trade(2, 'S7'))).toMatchObject({ symbol: 'S7', price: 2 });
  book.retain(new Set(['S7']));
  expect(book.apply(trade(1, 'ONE-MORE'))).toMatchObject({ price: 1 });
});

it('forgets the last trade of an instrument that is no longer requested', () => {
  const book = new PriceBook();
  book.apply(trade(50));
  book.retain(new Set(['MSFT']));
  expect(book.apply(quote(100, 102))).toMatchObject({ price: 101, source: 'midpoint' });
});

it('does not go back for an instrument that is requested again, whose last trades the venue sends again', () => {
  const book = new PriceBook();
  const sent = [0, 1, 2].map((n) => ({ ...trade(50 + n), timestamp: AT + n }));
  for (const one of sent) book.apply(one);
  book.apply({ ...quote(49, 51), timestamp: AT + 2 });
  book.retain(new Set());
  const [first, second, last] = sent.map((one) => book.apply(one));
  expect([first, second]).toEqual(['late', 'late']);
  expect(last).toMatchObject({ price: 52, trade_time: AT + 2 });
  expect(book.apply({ ...quote(40, 41), timestamp: AT + 1 })).toBe('late');
});

it('does not go back for an instrument that is requested several times, also before the venue trades it', () => {
  const book = new PriceBook();
  const sent = [50, 51, 52].map((price) => trade(price));
  for (const one of sent) book.apply(one);
  for (let round = 0; round < 3; round++) {
    book.retain(new Set());
    book.apply({ ...quote(49, 51), timestamp: AT + round });
  }
  expect(sent.map((one) => book.apply(one))).toMatchObject(['late', 'late', { price: 52 }]);
});

it('does not take a cancelled trade for the price if the instrument is requested again', () => {
  const book = new PriceBook();
  const { kind: _, ...original } = trade(50) as Extract<MarketEvent, { kind: 'trade' }>;
  book.apply(trade(50));
  book.apply({ kind: 'cancel', symbol: 'AAPL', original, timestamp: AT + 1 });
  book.retain(new Set());
  expect(book.apply(trade(50))).toBe('late');
  expect(book.apply({ ...trade(51), timestamp: AT + 1 })).toMatchObject({ price: 51 });
});

it('yields a valid PRICE_DATA payload or none for any event', () => {
  const number = fc.oneof(fc.double(), fc.integer(), fc.constant(0));
  const timestamp = fc.oneof(number, fc.integer({ min: AT - 5, max: AT + 5 }));
  const common = { symbol: fc.oneof(fc.constant('AAPL'), fc.string({ maxLength: 70 })), timestamp };
  const event = fc.oneof(
    fc.record({ kind: fc.constant('trade' as const), price: number, size: number, ...common }),
    fc.record({
      kind: fc.constant('quote' as const),
      bid: number,
      bid_size: number,
      ask: number,
      ask_size: number,
      ...common,
    }),
  );
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const book = new PriceBook('iex');
      for (const one of events.filter(isValidEvent)) {
        const price = book.apply(one);
        if (typeof price !== 'string') expect(schema.safeParse(price).error).toBeUndefined();
      }
    }),
  );
});

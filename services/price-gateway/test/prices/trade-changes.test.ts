// Trades that the venue corrects, cancels or excludes: the price is what it would have been without them.

import type { CancelEvent, CorrectionEvent, TradeEvent, TradeReference } from '@tickbus/capture';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PriceBook } from '../../prices/price-book.ts';
import { AT, quote, trade } from '../gateway.fixture.ts';

/** The nth trade: its price is 100 + n, and its time n ms after `AT`. */
function numbered(n: number): TradeEvent {
  return { ...(trade(100 + n) as TradeEvent), trade_id: `T${n}`, timestamp: AT + n };
}

function referenceTo({ trade_id, price, size }: TradeEvent): TradeReference {
  return { ...(trade_id !== undefined && { trade_id }), price, size };
}

const LATER = AT + 60_000;

function cancel(one: TradeEvent, fields: Partial<TradeReference> = {}): CancelEvent {
  return { kind: 'cancel', symbol: 'AAPL', original: { ...referenceTo(one), ...fields }, timestamp: LATER };
}

function correction(one: TradeEvent, corrected: Partial<CorrectionEvent['corrected']>): CorrectionEvent {
  const original = referenceTo(one);
  return {
    kind: 'correction',
    symbol: 'AAPL',
    original,
    corrected: { ...original, ...corrected },
    timestamp: LATER,
  };
}

/** A book after trades 1 to `count`. */
function bookAfter(count: number): PriceBook {
  const book = new PriceBook();
  for (let n = 1; n <= count; n++) book.apply(numbered(n));
  return book;
}

it('takes a cancelled trade back: the price is what it was before', () => {
  const book = bookAfter(3);
  book.apply({ ...quote(99, 101), timestamp: AT + 5 });
  expect(book.apply(cancel(numbered(3)))).toEqual({
    symbol: 'AAPL',
    price: 102,
    source: 'trade',
    cause: 'correction',
    timestamp: LATER,
    trade_time: AT + 2,
    trades_until: AT + 3,
    bid: 99,
    bid_size: 2,
    ask: 101,
    ask_size: 3,
    quote_time: AT + 5,
  });
  expect(book.apply(cancel(numbered(3)))).toBe('unchanged');
});

it('skips trades that were cancelled before, also while they were not the price', () => {
  const book = bookAfter(4);
  expect(book.apply(cancel(numbered(3)))).toBe('unchanged');
  expect(book.apply(cancel(numbered(2)))).toBe('unchanged');
  expect(book.apply(cancel(numbered(4)))).toMatchObject({ price: 101, trade_time: AT + 1 });
});

it('is the midpoint, or has no price, if no trade is left', () => {
  const book = bookAfter(1);
  expect(book.apply(cancel(numbered(1)))).toBe('unpriced');
  const midpoint = { price: 100, source: 'midpoint', cause: 'quote' };
  const price = book.apply(quote(99, 101));
  expect(price).toMatchObject(midpoint);
  expect(price).not.toHaveProperty('trade_time');
  book.apply(numbered(2));
  expect(book.apply(cancel(numbered(2)))).toMatchObject({ ...midpoint, cause: 'correction' });
});

it('corrects the last trade in its place, and identifies it by its new identifier from then on', () => {
  const book = bookAfter(2);
  const corrected = { trade_id: 'T2b', price: 90, size: 5 };
  const price = book.apply(correction(numbered(2), corrected));
  expect(price).toMatchObject({ price: 90, cause: 'correction', trade_time: AT + 2, timestamp: LATER });
  expect(price).not.toHaveProperty('size');
  expect(book.apply(cancel({ ...numbered(2), ...corrected }))).toMatchObject({ price: 101 });
});

it('moves trade_time with a corrected time', () => {
  const book = bookAfter(2);
  expect(book.apply(correction(numbered(2), { timestamp: AT - 10 }))).toMatchObject({ trade_time: AT - 10 });
});

it('corrects an earlier trade, which becomes the price when the later one is cancelled', () => {
  const book = bookAfter(2);
  expect(book.apply(correction(numbered(1), { price: 90 }))).toBe('unchanged');
  expect(book.apply(cancel(numbered(2)))).toMatchObject({ price: 90 });
});

it('takes a trade back that is corrected to one that does not set the price', () => {
  const book = bookAfter(2);
  const excluded = { conditions: ['I'], excluded_from: ['last', 'high_low'] } as const;
  expect(book.apply(correction(numbered(2), excluded))).toMatchObject({ price: 101 });
});

it('finds a trade without an identifier by price, size and time', () => {
  const without = (n: number, price: number): TradeEvent => ({
    ...(trade(price) as TradeEvent),
    timestamp: AT + n,
  });
  const book = new PriceBook();
  for (const [n, price] of [100, 101, 100, 102].entries()) book.apply(without(n, price));
  expect(book.apply(cancel(without(0, 103)))).toBe('unmatched');
  // The first of the two trades at 100.
  expect(book.apply(cancel(without(0, 100), { timestamp: AT }))).toBe('unchanged');
  expect(book.apply(cancel(without(3, 102)))).toMatchObject({ price: 100, trade_time: AT + 2 });
  expect(book.apply(cancel(without(2, 100)))).toMatchObject({ price: 101, trade_time: AT + 1 });
});

it('takes the right one of two trades back, to which two exchanges gave the same identifier', () => {
  const book = new PriceBook();
  const [one, other, excluded] = [1, 2, 3].map((n) => ({ ...numbered(n), trade_id: '7' })) as [
    TradeEvent,
    TradeEvent,
    TradeEvent,
  ];
  book.apply(one);
  book.apply(other);
  book.apply({ ...excluded, excluded_from: ['last'] });
  expect(book.apply(cancel(excluded))).toBe('unmatched');
  expect(book.apply(cancel(one))).toBe('unchanged');
  expect(book.apply(quote(50, 60))).toMatchObject({ price: 102 });
  expect(book.apply(correction(other, { price: 104 }))).toMatchObject({ price: 104 });
  // The venue names the trade as it was, or as it is.
  expect(book.apply(cancel(other))).toMatchObject({ price: 55, source: 'midpoint' });
});

it('takes a trade of the last time for new after an interruption, if another exchange gave it the same identifier', () => {
  const book = bookAfter(1);
  book.interrupt();
  expect(book.apply({ ...numbered(1), price: 105 })).toMatchObject({ price: 105 });
});

it('keeps the last 32 trades: an older one cannot be taken back', () => {
  const book = bookAfter(40);
  expect(book.apply(cancel(numbered(8)))).toBe('unmatched');
  for (let n = 40; n > 9; n--) expect(book.apply(cancel(numbered(n)))).toMatchObject({ price: 100 + n - 1 });
  expect(book.apply(cancel(numbered(9)))).toBe('unpriced');
  expect(book.apply(numbered(41))).toMatchObject({ price: 141 });
});

it('changes nothing for an unknown instrument', () => {
  const book = new PriceBook();
  expect(book.apply(cancel(numbered(1)))).toBe('unmatched');
  expect(book.apply({ ...cancel(numbered(1)), symbol: ' \u202e' })).toBe('unmatched');
});

it('changes nothing for a trade that is excluded from the last price', () => {
  const book = bookAfter(1);
  const oddLot = { ...numbered(2), conditions: ['@', 'I'], excluded_from: ['last', 'high_low'] } as const;
  expect(book.apply(oddLot)).toBe('excluded');
  expect(book.apply({ ...quote(1, 2), timestamp: AT + 3 })).toMatchObject({ price: 101, trade_time: AT + 1 });
  // Excluded from the volume only, such as the first part of a trade that is reported in two parts.
  expect(book.apply({ ...numbered(2), excluded_from: ['volume'] })).toMatchObject({ price: 102 });
});

it('drops a cancelled trade that the venue sends again after an interruption', () => {
  const book = bookAfter(3);
  book.apply(cancel(numbered(3)));
  book.interrupt();
  expect([1, 2, 3].map((n) => book.apply(numbered(n)))).toEqual(['late', 'late', 'late']);
  expect(book.apply(numbered(4))).toMatchObject({ price: 104 });
});

it('accepts a new trade of the last time after an interruption that differs from the others', () => {
  const book = bookAfter(0);
  const same = (id: string, price: number): TradeEvent => ({ ...numbered(0), trade_id: id, price });
  book.apply(same('a', 100));
  book.apply(same('b', 101));
  book.interrupt();
  expect(book.apply(same('a', 100))).toBe('late');
  expect(book.apply(same('c', 102))).toMatchObject({ price: 102 });
  expect(book.apply(same('b', 101))).toBe('late');
  expect(book.apply(withoutId(same('', 101)))).toBe('late');
  expect(book.apply(withoutId(same('', 103)))).toMatchObject({ price: 103 });
});

function withoutId({ trade_id: _, ...rest }: TradeEvent): TradeEvent {
  return rest;
}

it('drops a corrected trade without an identifier that the venue sends again, as it was or as it is', () => {
  const book = new PriceBook();
  const sent = withoutId(numbered(1));
  const corrected = { price: 90, size: 5, timestamp: sent.timestamp };
  const { symbol, price, size } = sent;
  book.apply(sent);
  book.apply({ kind: 'correction', symbol, original: { price, size }, corrected, timestamp: AT + 9 });
  book.interrupt();
  expect(book.apply(sent)).toBe('late');
  expect(book.apply({ ...sent, ...corrected })).toBe('late');
  expect(book.apply({ ...sent, price: 91 })).toMatchObject({ price: 91 });
});

it('drops repeated trades of one time that it may have forgotten', () => {
  const sent = Array.from({ length: 50 }, (_, n) => ({ ...numbered(n), timestamp: AT }));
  const book = new PriceBook();
  for (const one of sent) book.apply(one);
  book.interrupt();
  expect(sent.map((one) => book.apply(one))).toEqual(Array(50).fill('late'));
});

it('is the last trade that counts, after any order of trades, corrections, cancels and interruptions', () => {
  // The reference keeps every trade. A change concerns one of the last 32 trades that set the price.
  const step = fc.record({
    what: fc.constantFrom('trade', 'trade', 'odd lot', 'cancel', 'correct', 'interrupt'),
    pick: fc.nat(31),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const book = new PriceBook();
      const all: { event: TradeEvent; isCancelled: boolean }[] = [];
      for (const [n, { what, pick }] of steps.entries()) {
        const recent = all.slice(-32);
        const chosen = recent[pick % Math.max(1, recent.length)];
        if (what === 'interrupt') book.interrupt();
        else if (what === 'odd lot') book.apply({ ...numbered(n), excluded_from: ['last'] });
        else if (what === 'trade' || chosen === undefined) {
          all.push({ event: numbered(n), isCancelled: false });
          book.apply(numbered(n));
        } else if (what === 'cancel') {
          book.apply(cancel(chosen.event));
          chosen.isCancelled = true;
        } else if (!chosen.isCancelled) {
          const corrected = { ...referenceTo(chosen.event), trade_id: `C${n}`, price: 1_000 + n };
          book.apply(correction(chosen.event, corrected));
          chosen.event = { ...chosen.event, ...corrected };
        }
      }
      const kept = all.slice(-32).findLast(({ isCancelled }) => !isCancelled)?.event;
      const price = book.apply({ ...quote(1, 2), timestamp: LATER });
      const expected =
        kept === undefined ? { price: 1.5 } : { price: kept.price, trade_time: kept.timestamp };
      expect(price).toMatchObject(expected);
    }),
  );
});

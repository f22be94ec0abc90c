// A new gateway goes on where the one before it ended: it publishes nothing older, whatever the venue sends again.

import type { CancelEvent, MarketEvent, QuoteEvent, TradeEvent } from '@tickbus/capture';
import fc from 'fast-check';
import type { Price } from 'tickbus';
import { describe, expect, it } from 'vitest';
import { PriceBook, type PublishedPrice } from '../../prices/price-book.ts';
import { AT, quote, trade } from '../gateway.fixture.ts';
import { ChangingGateways } from './changing-gateways.fixture.ts';

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

describe('over several takeovers', () => {
  const at = <Event extends MarketEvent>(event: Event, ms: number): Event => ({
    ...event,
    timestamp: AT + ms,
  });

  it('an older trade is late, also if the gateway before it received only quotes', () => {
    const gateways = new ChangingGateways();
    gateways.apply(at(trade(100), 5));
    gateways.takeOver();
    expect(gateways.apply(at(quote(90, 92), 6))).toMatchObject({
      price: 91,
      source: 'midpoint',
      trade_time: AT + 5,
    });
    gateways.takeOver();
    expect(gateways.apply(at(trade(99), 4))).toBe('late');
    expect(gateways.apply(at(trade(101), 6))).toMatchObject({ price: 101, trade_time: AT + 6 });
  });

  it('an older quote is late, also if the gateway before it received only trades', () => {
    const gateways = new ChangingGateways();
    gateways.apply(at(quote(90, 92), 5));
    gateways.takeOver();
    expect(gateways.apply(at(trade(100), 6))).toMatchObject({ price: 100, quote_time: AT + 5 });
    gateways.takeOver();
    expect(gateways.apply(at(quote(80, 82), 4))).toBe('late');
  });

  it('an older trade is late for an instrument that was requested again and has only quotes since', () => {
    const gateways = new ChangingGateways();
    gateways.apply(at(trade(100), 5));
    gateways.book.retain(new Set());
    gateways.apply(at(quote(90, 92), 6));
    gateways.takeOver();
    expect(gateways.apply(at(trade(99), 4))).toBe('late');
  });
});

describe('a trade that was cancelled before a takeover, and is sent again', () => {
  const numbered = (n: number, timestamp = AT + n) =>
    ({ ...trade(100 + n), trade_id: String(n), timestamp }) as TradeEvent;
  const cancel = (n: number): CancelEvent => ({
    kind: 'cancel',
    symbol: 'AAPL',
    original: { trade_id: String(n), price: 100 + n, size: 10 },
    timestamp: AT + 100,
  });
  const sent = [numbered(1), numbered(2), numbered(3)];

  /** A gateway after one to which this happened. */
  function after(...events: (MarketEvent | CancelEvent)[]): ChangingGateways {
    const gateways = new ChangingGateways();
    for (const event of events) gateways.apply(event);
    gateways.takeOver();
    return gateways;
  }

  it('is late, and so are those before it', () => {
    const gateways = after(...sent, cancel(3));
    expect(sent.map((one) => gateways.apply(one))).toEqual(['late', 'late', 'late']);
    expect(gateways.apply(numbered(4))).toMatchObject({ price: 104 });
  });

  it('is late if there was no other trade, and the instrument was halted then', () => {
    const book = continued([lastOf(numbered(1))]);
    book.inherit([{ symbol: 'AAPL', market: 'halted', has_price: false }]);
    expect(book.apply(numbered(1))).toBe('late');
  });

  it('is late if it has the time of the trade that is the price', () => {
    const same = [numbered(1, AT), numbered(2, AT)];
    const gateways = after(...same, cancel(2));
    expect(same.map((one) => gateways.apply(one))).toEqual(['late', 'late']);
  });

  it('is late if there was no other trade, so that no price was published without it', () => {
    const gateways = after(numbered(1), cancel(1));
    expect(gateways.apply(numbered(1))).toBe('late');
  });

  it('is late after a second takeover with only quotes between', () => {
    const gateways = after(...sent, cancel(3));
    gateways.apply({ ...quote(90, 92), timestamp: AT + 101 } as QuoteEvent);
    gateways.takeOver();
    expect(sent.map((one) => gateways.apply(one))).toEqual(['late', 'late', 'late']);
  });

  it('is late if the correction has moved it to an earlier time', () => {
    const { original } = cancel(3);
    const corrected = { ...original, price: 90, timestamp: AT + 1 };
    const gateways = new ChangingGateways();
    for (const one of sent) gateways.apply(one);
    const event = { kind: 'correction', symbol: 'AAPL', original, corrected, timestamp: AT + 100 } as const;
    expect(gateways.apply(event)).toMatchObject({ price: 90 });
    gateways.takeOver();
    expect(gateways.apply(numbered(3))).toBe('late');
  });

  it('is late if the venue cancels it after the takeover; its price is taken back', () => {
    const gateways = after(...sent);
    expect(gateways.apply(cancel(2))).toBe('unmatched');
    expect(gateways.apply(cancel(3))).toBe('unpriced');
    expect(sent.map((one) => gateways.apply(one))).toEqual(['late', 'late', 'late']);
  });

  it.each(['a takeover', 'a new request'])(
    'is not the only one: after %s, that before it is, too',
    (what) => {
      const gateways = new ChangingGateways();
      for (const event of [...sent, cancel(3)]) gateways.apply(event);
      if (what === 'a takeover') gateways.takeOver();
      else gateways.book.retain(new Set());
      expect(gateways.apply(cancel(2))).toBe('unpriced');
      gateways.takeOver();
      expect(sent.map((one) => gateways.apply(one))).toEqual(['late', 'late', 'late']);
      expect(gateways.apply(numbered(4))).toMatchObject({ price: 104 });
    },
  );
});

it('takes trades of the time of the takeover for late that are sent again a second time', () => {
  const sent = [100, 101, 102].map((price) => trade(price));
  const book = continued([lastOf(...sent)]);
  for (const one of sent) book.apply(one);
  book.interrupt();
  expect(sent.map((one) => book.apply(one))).toEqual(['late', 'late', 'late']);
});

it('never goes back in time, nor to a cancelled trade, wherever gateways take over in a random session', () => {
  const step = fc.record({
    kind: fc.constantFrom('trade', 'trade', 'quote', 'withdrawn', 'cancel', 'takeover', 'interruption'),
    ms: fc.integer({ min: 0, max: 2 }),
    symbol: fc.constantFrom('AAPL', 'MSFT'),
    /** Which trade is cancelled, or how many events are sent again. */
    count: fc.nat({ max: 12 }),
  });
  const sessions = fc.array(step, { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(sessions, fc.boolean(), fc.boolean(), (steps, hasIds, areDistinct) => {
      const gateways = new ChangingGateways();
      const sent: (TradeEvent | QuoteEvent)[] = [];
      for (const { kind, ms, symbol, count } of steps) {
        gateways.now += ms;
        const timestamp = gateways.now;
        if (kind === 'takeover' || kind === 'interruption') {
          if (kind === 'takeover') gateways.takeOver();
          else gateways.book.interrupt();
          for (const one of count === 0 ? [] : sent.slice(-count)) gateways.apply(one);
        } else if (kind === 'cancel') {
          const trades = sent.filter((one) => one.kind === 'trade');
          const original = trades.at(-1 - count);
          if (areDistinct && original !== undefined) gateways.cancel(original);
        } else {
          // The price of a trade that is cancelled is that of no other.
          const price = areDistinct ? 100 + sent.length : 1 + (count % 3);
          const id = hasIds ? { trade_id: String(sent.length) } : {};
          const one = kind === 'trade' ? trade(price, symbol) : quote(price, price + 1, symbol);
          const none = kind === 'withdrawn' ? { bid: 0, bid_size: 0, ask: 0, ask_size: 0 } : {};
          const event = { ...one, ...none, ...(kind === 'trade' && id), timestamp } as
            | TradeEvent
            | QuoteEvent;
          sent.push(event);
          gateways.apply(event);
        }
      }
      for (const symbol of ['AAPL', 'MSFT']) {
        const published: Price[] = gateways.published.filter((price) => price.symbol === symbol);
        const quoteTimes = published.flatMap(({ quote_time = [] }) => quote_time);
        expect(quoteTimes).toEqual(quoteTimes.toSorted((a, b) => a - b));
        const trades = published.filter(({ cause }) => cause === 'trade');
        const tradeTimes = trades.flatMap(({ trade_time = [] }) => trade_time);
        expect(tradeTimes).toEqual(tradeTimes.toSorted((a, b) => a - b));
        for (const [index, { cause, trade_time }] of published.entries())
          if (cause !== 'correction' && trade_time !== undefined)
            expect(trade_time).toBeGreaterThanOrEqual(published[index - 1]?.trade_time ?? AT);
      }
      expect(gateways.cancelledAgain).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

// Translates venue frames into market events: single frames and whole recorded sessions.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type MarketEvent, readCapture, toMarketEvents, toVenueEvents } from '../index.ts';

const TICKER = {
  type: 'ticker',
  product_id: 'BAND-GBP',
  price: '14.7775',
  best_bid: '14.7550',
  best_ask: '14.8060',
  time: '2021-04-17T16:43:30.244075Z',
  last_size: '0.04',
};
const MATCH = {
  type: 'match',
  product_id: 'SKL-BTC',
  size: '985',
  price: '0.00001305',
  time: '2021-04-17T16:43:37.089723Z',
};
const BOOK_TICKER = {
  e: 'bookTicker',
  s: 'SUSHIUSDT',
  b: '7.6110',
  B: '2',
  a: '7.6120',
  A: '297',
  T: 1626992741012,
};
const AGG_TRADE = { e: 'aggTrade', s: 'CTKUSDT', p: '1.01100', q: '10', T: 1626992741421 };

const AT = Date.UTC(2026, 0, 2, 15, 30, 0, 208);

function eventsOf(frame: unknown, dir: 'in' | 'out' = 'in'): readonly MarketEvent[] {
  return toMarketEvents({ at: 1, dir, frame });
}

function stream(data: object): object {
  return { stream: 'x@y', data };
}

describe('a Coinbase frame', () => {
  const timestamp = Date.UTC(2021, 3, 17, 16, 43, 30, 244);

  it('ticker is a quote, with size 0 if the venue does not send it', () => {
    const quote = { kind: 'quote', symbol: 'BAND-GBP', bid: 14.755, ask: 14.806, timestamp };
    expect(eventsOf(TICKER)).toEqual([{ ...quote, bid_size: 0, ask_size: 0 }]);
    const sizes = { best_bid_size: '1.5', best_ask_size: '2' };
    expect(eventsOf({ ...TICKER, ...sizes })).toEqual([{ ...quote, bid_size: 1.5, ask_size: 2 }]);
  });

  it.each(['match', 'last_match'])('%s is a trade', (type) => {
    expect(eventsOf({ ...MATCH, type })).toEqual([
      {
        kind: 'trade',
        symbol: 'SKL-BTC',
        price: 0.00001305,
        size: 985,
        timestamp: Date.UTC(2021, 3, 17, 16, 43, 37, 89),
      },
    ]);
  });
});

it('has the identifiers of Coinbase, and the side of the taker instead of that of the maker', () => {
  const match = { ...MATCH, trade_id: 280_232, side: 'sell' };
  expect(eventsOf(match)).toMatchObject([{ trade_id: '280232', taker_side: 'buy' }]);
  expect(eventsOf({ ...match, side: 'buy' })).toMatchObject([{ taker_side: 'sell' }]);
});

it('has the identifiers of Binance, and the side of the taker', () => {
  const trade = { ...AGG_TRADE, a: 16_599_292, m: false };
  expect(eventsOf(stream(trade))).toMatchObject([{ trade_id: '16599292', taker_side: 'buy' }]);
  expect(eventsOf(stream({ ...trade, m: true }))).toMatchObject([{ taker_side: 'sell' }]);
});

describe('a Binance futures frame', () => {
  it('bookTicker is a quote', () => {
    expect(eventsOf(stream(BOOK_TICKER))).toEqual([
      {
        kind: 'quote',
        symbol: 'SUSHIUSDT',
        bid: 7.611,
        bid_size: 2,
        ask: 7.612,
        ask_size: 297,
        timestamp: 1626992741012,
      },
    ]);
  });

  it('aggTrade is a trade', () => {
    expect(eventsOf(stream(AGG_TRADE))).toEqual([
      { kind: 'trade', symbol: 'CTKUSDT', price: 1.011, size: 10, timestamp: 1626992741421 },
    ]);
  });
});

describe('an Alpaca frame', () => {
  const timestamp = Date.UTC(2026, 0, 2, 15, 30, 0, 208);
  const time = '2026-01-02T15:30:00.208999999Z';

  it('yields several trades and quotes, in order, between other messages', () => {
    const frame = [
      { T: 'success', msg: 'connected' },
      { T: 't', i: 1, S: 'AAPL', x: 'V', p: 100.25, s: 10, t: time, c: ['@'], z: 'C' },
      { T: 'q', S: 'MSFT', bx: 'V', bp: 400, bs: 2, ax: 'V', ap: 401, as: 3, t: time, c: ['R'], z: 'C' },
      { T: 'b', S: 'AAPL', o: 1 },
      null,
      { T: 't', S: 'AAPL', p: 'n/a', s: 10, t: time },
      { T: 't', S: 'AAPL', p: 1, s: 10 },
    ];
    expect(eventsOf(frame)).toEqual([
      {
        kind: 'trade',
        symbol: 'AAPL',
        price: 100.25,
        size: 10,
        timestamp,
        trade_id: 'V-1',
        conditions: ['@'],
      },
      { kind: 'quote', symbol: 'MSFT', bid: 400, bid_size: 2, ask: 401, ask_size: 3, timestamp },
    ]);
  });
});

it('a frame of market events yields its valid events', () => {
  const trade = { kind: 'trade', symbol: 'A', price: 1, size: 2, timestamp: AT };
  const quote = { kind: 'quote', symbol: 'B', bid: 1, bid_size: 2, ask: 3, ask_size: 4, timestamp: AT };
  expect(eventsOf({ events: [trade, null, { ...trade, price: '1e999' }, { kind: 'bar' }, quote] })).toEqual([
    trade,
    quote,
  ]);
});

it('names the field and the value of each invalid event, and yields the others', () => {
  const trade = { kind: 'trade', symbol: 'A', price: 1, size: 2, timestamp: AT };
  const problems: string[] = [];
  const events = [
    { ...trade, timestamp: AT * 1e3 },
    trade,
    { ...trade, size: 2 ** 53 },
    { ...trade, symbol: 'A ' },
  ];
  const record = { at: 1, dir: 'in', frame: { events } } as const;
  expect(toVenueEvents(record, (problem) => problems.push(problem))).toEqual([trade]);
  expect(problems).toEqual([
    `timestamp of the trade of "A" must be in Unix milliseconds, from the year 2000 to 2100, but was ${AT * 1e3}, which looks like microseconds`,
    'size of the trade of "A" must be at most 2^53 - 1, but was 9007199254740992',
    'symbol of a trade must be a string that neither begins nor ends with a blank, but was "A "',
  ]);
});

it.each([
  ['a frame to the venue', MATCH, 'out'],
  ['another Coinbase frame', { ...MATCH, type: 'l2update' }, 'in'],
  ['another Binance frame', stream({ ...AGG_TRADE, e: 'kline' }), 'in'],
  ['a name of Object.prototype', { ...MATCH, type: 'constructor' }, 'in'],
  ['a price that is not a number', { ...MATCH, price: 'n/a' }, 'in'],
  ['an empty price', { ...MATCH, price: '' }, 'in'],
  ['an infinite price', { ...MATCH, price: '1e999' }, 'in'],
  ['no price', { ...MATCH, price: undefined }, 'in'],
  ['no symbol', { ...MATCH, product_id: 7 }, 'in'],
  ['an invalid time', { ...MATCH, time: 'yesterday' }, 'in'],
  ['a quote with an infinite size', stream({ ...BOOK_TICKER, A: 'Infinity' }), 'in'],
  ['a quote without a symbol', stream({ ...BOOK_TICKER, s: undefined }), 'in'],
  ['a stream without data', { stream: 'x' }, 'in'],
  ['an array', [MATCH], 'in'],
  ['a text', 'ticker', 'in'],
  ['null', null, 'in'],
] as const)('%s yields nothing', (_what, frame, dir) => {
  expect(eventsOf(frame, dir)).toEqual([]);
});

describe('recorded sessions', () => {
  // Counts from the README of the sessions; Coinbase sends 10 `last_match` besides its 97 `match`.
  const sessions = [
    ['coinbase-2021-04-17.jsonl.gz', 9_949, { quote: 107, trade: 107 }],
    ['binance-futures-2021-07-22.jsonl.gz', 1_535, { quote: 613, trade: 91 }],
  ] as const;

  for (const [name, lines, expected] of sessions) {
    const path = fileURLToPath(new URL(`../../../../shared/data/${name}`, import.meta.url));
    it(`${name} has the expected number of prices`, async ({ skip }) => {
      skip(!existsSync(path), `${name} is missing: the recorded sessions are not part of the repository.`);
      const counts = { quote: 0, trade: 0 };
      let read = 0;
      for await (const record of readCapture(path)) {
        read += 1;
        for (const { kind } of toMarketEvents(record)) counts[kind] += 1;
      }
      expect(read).toBe(lines);
      expect(counts).toEqual(expected);
    });
  }
});

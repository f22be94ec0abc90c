// Changes in the state that ccxt keeps: what its unified structures say, as events.

import { expect, it } from 'vitest';
import { CcxtChangeDetector } from '../../feeds/ccxt-changes.ts';
import { AT } from '../gateway.fixture.ts';

const quote = { kind: 'quote', symbol: 'BTC/USD', timestamp: AT };
const full = { bid: 1, bidVolume: 2, ask: 3, askVolume: 4, timestamp: AT };

it('reports trades once, with their identifier and the side of the taker', () => {
  const changes = new CcxtChangeDetector(true, new Set());
  const first = { id: '7', side: 'sell', price: 1, amount: 2, timestamp: AT };
  const second = { id: undefined, side: undefined, price: 3, amount: undefined, timestamp: AT + 1 };
  expect(changes.tradeEvents('BTC/USD', [first])).toEqual([
    { kind: 'trade', symbol: 'BTC/USD', price: 1, size: 2, timestamp: AT, trade_id: '7', taker_side: 'sell' },
  ]);
  expect(changes.tradeEvents('BTC/USD', [first, second])).toEqual([
    { kind: 'trade', symbol: 'BTC/USD', price: 3, size: 0, timestamp: AT + 1 },
  ]);
});

it.each([
  ['one side', { ask: 3, askVolume: 4 }, { bid: 0, bid_size: 0, ask: 3, ask_size: 4 }],
  ['both sides', {}, { bid: 0, bid_size: 0, ask: 0, ask_size: 0 }],
])('reports a book that has lost %s', (_, rest, sides) => {
  const changes = new CcxtChangeDetector(true, new Set());
  changes.tickerEvents('BTC/USD', full);
  expect(changes.tickerEvents('BTC/USD', { ...rest, timestamp: AT })).toEqual([{ ...quote, ...sides }]);
});

it('reads nothing about the book from the tickers of a venue that sends no quotes', () => {
  const changes = new CcxtChangeDetector(false, new Set());
  for (const last of [1, 2])
    expect(changes.tickerEvents('BTC/USD', { timestamp: AT, last })).toMatchObject([
      { kind: 'trade', price: last },
    ]);
});

it('a ticker without sides withdraws those of earlier tickers, also of another connection', () => {
  const empty = { ...quote, bid: 0, bid_size: 0, ask: 0, ask_size: 0 };
  const quoted = new Set<string>();
  const changes = new CcxtChangeDetector(false, quoted);
  changes.tickerEvents('BTC/USD', { ...full, last: 2 });
  expect(changes.tickerEvents('BTC/USD', { timestamp: AT, last: 2 })).toEqual([empty]);
  const next = new CcxtChangeDetector(false, quoted);
  expect(next.tickerEvents('BTC/USD', { timestamp: AT })).toEqual([empty]);
  expect(next.tickerEvents('ETH/USD', { timestamp: AT })).toEqual([]);
});

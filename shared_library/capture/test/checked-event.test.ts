// The values of events: what venues write as text is accepted, everything else names field and value.

import { expect, it } from 'vitest';
import { checkedEvent, isValidEvent, type QuoteEvent, type TradeEvent } from '../index.ts';

const AT = Date.UTC(2026, 0, 2, 15, 30, 0, 208);

function trade(price: number, symbol = 'AAPL'): TradeEvent {
  return { kind: 'trade', symbol, price, size: 10, timestamp: AT };
}

function quote(bid: number, ask: number): QuoteEvent {
  return { kind: 'quote', symbol: 'AAPL', bid, bid_size: 2, ask, ask_size: 3, timestamp: AT };
}

const TIME_RULE = 'timestamp of the trade of "AAPL" must be in Unix milliseconds, from the year 2000 to 2100';

/** A trade with some fields replaced by untyped values. */
function tradeWith(fields: object): TradeEvent {
  return { ...trade(1), ...fields } as TradeEvent;
}

it('returns a valid event as it is', () => {
  for (const event of [trade(1), quote(1, 2), trade(-37.63), quote(0, 0)])
    expect(checkedEvent(event)).toBe(event);
});

it('converts decimal digits as text, and keeps further fields', () => {
  expect(
    checkedEvent(tradeWith({ price: '29110.19', size: '.5', timestamp: `${AT}`, trade_id: '7' })),
  ).toEqual({
    ...trade(29_110.19),
    size: 0.5,
    trade_id: '7',
  });
  expect(checkedEvent({ ...quote(1, 2), bid: '1e-8', bid_size: '1e3', ask: '+2.', ask_size: '0' })).toEqual({
    ...quote(1e-8, 2),
    bid_size: 1_000,
    ask_size: 0,
  });
});

it.each([
  ['bid', 'a number, or decimal digits as text, or null for a side without orders'],
  ['ask', 'a number, or decimal digits as text, or null for a side without orders'],
  ['bid_size', 'a number that is not negative, or decimal digits as text, or null if it is unknown'],
  ['ask_size', 'a number that is not negative, or decimal digits as text, or null if it is unknown'],
])('refuses a quote whose %s is undefined, and says what a side without orders is', (field, rule) => {
  const message = `${field} of the quote of "AAPL" must be ${rule}, but was undefined`;
  expect(() => checkedEvent({ ...quote(1, 2), [field]: undefined })).toThrow(message);
});

it.each([
  [
    { price: 'n/a' },
    'price of the trade of "AAPL" must be a number, or decimal digits as text, but was "n/a"',
  ],
  [{ price: '' }, 'but was ""'],
  [{ price: ' 1' }, 'but was " 1"'],
  [{ price: '1,000.5' }, 'but was "1,000.5"'],
  [{ price: '0x10' }, 'but was "0x10"'],
  [{ price: 'Infinity' }, 'but was "Infinity"'],
  [{ price: '1e999' }, 'price of the trade of "AAPL" must be at most 2^53 - 1, but was "1e999"'],
  [{ price: Number.NaN }, 'but was NaN'],
  [{ price: null }, 'but was null'],
  [{ price: undefined }, 'but was undefined'],
  [{ price: {} }, 'but was an object'],
  [{ price: '9'.repeat(100) }, `but was "${'9'.repeat(60)}" and 40 more characters`],
  [
    { size: -1 },
    'size of the trade of "AAPL" must be a number that is not negative, or decimal digits as text, but was -1',
  ],
  [{ size: 2 ** 53 }, 'size of the trade of "AAPL" must be at most 2^53 - 1, but was 9007199254740992'],
  [{ size: '9007199254740993' }, 'must be at most 2^53 - 1, but was "9007199254740993"'],
  [{ timestamp: AT / 1e3 }, `${TIME_RULE}, but was ${AT / 1e3}, which looks like seconds`],
  [{ timestamp: AT * 1e3 }, 'which looks like microseconds'],
  [{ timestamp: `${AT}000000` }, 'which looks like nanoseconds'],
  [{ timestamp: 0 }, 'to 2100, but was 0'],
  [{ timestamp: -AT }, `but was -${AT}`],
  [{ timestamp: Date.UTC(2101, 0) }, 'from the year 2000 to 2100'],
  [{ timestamp: '2026-01-02T15:30:00Z' }, 'but was "2026-01-02T15:30:00Z"'],
  [{ timestamp: new Date(AT) }, 'but was an object'],
  [
    { symbol: 'AAPL ' },
    'symbol of a trade must be a string that neither begins nor ends with a blank, but was "AAPL "',
  ],
  [{ symbol: '\uFEFFAAPL' }, 'symbol of a trade must be'],
  [{ symbol: '' }, 'but was ""'],
  [{ symbol: 7 }, 'but was 7'],
])('refuses %j', (fields, message) => {
  expect(() => checkedEvent(tradeWith(fields))).toThrow(message);
});

it('refuses a bigint', () => {
  expect(() => checkedEvent(tradeWith({ size: 5n }))).toThrow('but was 5n');
});

it('accepts a symbol with a blank inside, as of options', () => {
  const symbol = 'AAPL  260116C00250000';
  expect(checkedEvent(tradeWith({ symbol }))).toEqual(trade(1, symbol));
});

it.each(['bid', 'bid_size', 'ask', 'ask_size'])('names the field %s of a quote', (field) => {
  const item = { ...quote(1, 2), [field]: 'x' };
  expect(() => checkedEvent(item)).toThrow(`${field} of the quote of "AAPL" must be a number`);
});

it.each([
  [
    { bid: null, bid_size: null },
    { bid: 0, bid_size: 0 },
  ],
  [{ bid: null }, { bid: 0, bid_size: 0 }],
  [
    { ask: null, ask_size: 7 },
    { ask: 0, ask_size: 0 },
  ],
  [{ ask_size: null }, { ask_size: 0 }],
])('reads %j of a quote as a side without orders, or a size that is unknown', (fields, expected) => {
  expect(checkedEvent({ ...quote(1, 2), ...fields })).toEqual({ ...quote(1, 2), ...expected });
});

it('refuses a side that is missing, because its name may be misspelt', () => {
  const { bid, ...misspelt } = quote(1, 2);
  expect(() => checkedEvent({ ...misspelt, bidd: bid })).toThrow(
    'bid of the quote of "AAPL" must be a number',
  );
});

it('converts nothing in a valid event, and calls the others invalid', () => {
  expect(isValidEvent(trade(1))).toBe(true);
  for (const fields of [
    { price: '1' },
    { trade_id: 7 },
    { timestamp: AT / 1e3 },
    { symbol: ' A' },
    { size: 2 ** 53 },
  ])
    expect(isValidEvent(tradeWith(fields))).toBe(false);
  expect(isValidEvent({ ...quote(1, 2), ask: null } as never)).toBe(false);
});

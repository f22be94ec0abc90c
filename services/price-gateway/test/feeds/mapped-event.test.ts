// The trades and quotes of a mapping: what venues write as text is accepted, everything else names field and value.

import type { QuoteEvent } from '@tickbus/capture';
import { expect, it } from 'vitest';
import { checkedEvent } from '../../feeds/mapped-event.ts';
import { readMappedFrame } from '../../feeds/mapping-module.ts';
import type { FrameItem } from '../../mapping.ts';
import { AT, quote, trade } from '../gateway.fixture.ts';

const TIME_RULE = 'timestamp of the trade of "AAPL" must be in Unix milliseconds, from the year 2000 to 2100';

/** A trade with some fields replaced by untyped values. */
function tradeWith(fields: object): Parameters<typeof checkedEvent>[0] {
  return { ...trade(1), ...fields } as never;
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
  expect(
    checkedEvent({ ...(quote(1, 2) as QuoteEvent), bid: '1e-8', bid_size: '1e3', ask: '+2.', ask_size: '0' }),
  ).toEqual({
    ...quote(1e-8, 2),
    bid_size: 1_000,
    ask_size: 0,
  });
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

it('reports the invalid items of a frame once, and delivers the others', () => {
  const items = [
    tradeWith({ price: 'x' }),
    trade(1),
    tradeWith({ size: null }),
    null,
    trade(2),
  ] as FrameItem[];
  const reasons: string[] = [];
  const listener = {
    onInvalidFrame: (reason: string) => reasons.push(reason),
    onSubscribed() {},
    onRefused() {},
    onEnd() {},
  };
  expect(readMappedFrame({ read: () => items }, {}, listener)).toEqual([trade(1), trade(2)]);
  expect(reasons).toEqual([
    'The mapping returned an invalid item: price of the trade of "AAPL" must be a number, or decimal digits as text, ' +
      'but was "x". The frame has 3 of them.',
  ]);
});

it('stops at a frame with too many invalid items, which would take seconds', () => {
  const items = [trade(1), ...Array.from({ length: 200_000 }, () => null), trade(2)] as FrameItem[];
  const reasons: string[] = [];
  const onInvalidFrame = (reason: string) => reasons.push(reason);
  const listener = { onInvalidFrame, onSubscribed() {}, onRefused() {}, onEnd() {} };
  expect(readMappedFrame({ read: () => items }, {}, listener)).toEqual([trade(1)]);
  expect(reasons).toEqual([
    expect.stringMatching(/The frame has more than 1000 of them; what follows is dropped\.$/),
  ]);
});

it.each([
  [
    { kind: 'subscribed', symbols: 'AAPL' },
    'symbols of a subscribed item must be a list of strings, but was "AAPL"',
  ],
  [{ kind: 'subscribed', symbols: [1] }, 'but was a list'],
  [{ kind: 'refused', symbol: 7, reason: 'no' }, 'symbol of a refused item must be a string, but was 7'],
])('refuses the item %j', (item, message) => {
  const reasons: string[] = [];
  const unexpected = () => expect.unreachable();
  const listener = {
    onInvalidFrame: (reason: string) => reasons.push(reason),
    onSubscribed: unexpected,
    onRefused: unexpected,
    onEnd: unexpected,
  };
  readMappedFrame({ read: () => item as never }, {}, listener);
  expect(reasons).toEqual([expect.stringContaining(message)]);
});

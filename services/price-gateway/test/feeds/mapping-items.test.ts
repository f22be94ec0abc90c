// The items of a mapping: what is invalid is reported once a frame, with the field and its value.

import type { TradeEvent } from '@tickbus/capture';
import { expect, it } from 'vitest';
import { readMappedFrame } from '../../feeds/mapping-module.ts';
import type { FrameItem } from '../../mapping.ts';
import { AT, trade } from '../gateway.fixture.ts';

/** A trade with some fields replaced by untyped values. */
function tradeWith(fields: object): TradeEvent {
  return { ...trade(1), ...fields } as TradeEvent;
}

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

/** The events and the reports of a frame with these items. */
function read(...items: object[]) {
  const reasons: string[] = [];
  const onInvalidFrame = (reason: string) => reasons.push(reason);
  const listener = { onInvalidFrame, onSubscribed() {}, onRefused() {}, onEnd() {} };
  return { events: readMappedFrame({ read: () => items as FrameItem[] }, {}, listener), reasons };
}

const original = { trade_id: 7, price: '1.5', size: '2' };

it('reads the details of a trade, corrections, cancelled trades and statuses', () => {
  const details = { trade_id: 7, conditions: ['@', 'I'], excluded_from: ['last'], taker_side: 'sell' };
  const corrected = { ...original, trade_id: 'x', price: '1.6', conditions: ['@'] };
  const { events, reasons } = read(
    { ...trade(1), ...details },
    { kind: 'correction', symbol: 'AAPL', original, corrected, timestamp: `${AT}` },
    {
      kind: 'cancel',
      symbol: 'AAPL',
      original: { ...original, timestamp: `${AT}` },
      timestamp: AT,
      reason: 'error',
    },
    { kind: 'status', symbol: 'AAPL', market: 'halted', detail: 'T1' },
    { kind: 'status', symbol: 'AAPL', market: 'trading' },
  );
  expect(reasons).toEqual([]);
  expect(events).toEqual([
    { ...trade(1), ...details, trade_id: '7' },
    {
      kind: 'correction',
      symbol: 'AAPL',
      original: { trade_id: '7', price: 1.5, size: 2 },
      corrected: { trade_id: 'x', price: 1.6, size: 2, conditions: ['@'] },
      timestamp: AT,
    },
    {
      kind: 'cancel',
      symbol: 'AAPL',
      original: { trade_id: '7', price: 1.5, size: 2, timestamp: AT },
      timestamp: AT,
      reason: 'error',
    },
    { kind: 'halt', symbol: 'AAPL', detail: 'T1' },
    { kind: 'resume', symbol: 'AAPL' },
  ]);
});

it.each([
  [
    { ...trade(1), trade_id: 2 ** 53 },
    'trade_id of the trade of "AAPL" must be a text of 1 to 128 characters, or a whole',
  ],
  [{ ...trade(1), conditions: '@' }, 'conditions of the trade of "AAPL" must be a list of at most 16 texts'],
  [{ ...trade(1), taker_side: 'B' }, 'taker_side of the trade of "AAPL" must be buy or sell, but was "B"'],
  [
    { ...trade(1), excluded_from: ['close'] },
    'excluded_from of the trade of "AAPL" must be a list of last, high_low',
  ],
  [
    { kind: 'cancel', symbol: 'AAPL', original: { ...original, price: 'x' }, timestamp: AT },
    'original.price of the cancel of "AAPL" must be a number, or decimal digits as text, but was "x"',
  ],
  [
    { kind: 'cancel', symbol: 'AAPL', timestamp: AT },
    'original.price of the cancel of "AAPL" must be a number',
  ],
  [
    {
      kind: 'correction',
      symbol: 'AAPL',
      original,
      corrected: { ...original, timestamp: AT / 1e3 },
      timestamp: AT,
    },
    `corrected.timestamp of the correction of "AAPL" must be in Unix milliseconds, from the year 2000 to 2100, but was ${AT / 1e3}, which looks like seconds`,
  ],
  [
    { kind: 'status', symbol: 'AAPL', market: 'closed' },
    'market of a status item must be halted or trading, but was "c',
  ],
  [
    { kind: 'status', symbol: 7, market: 'halted' },
    'symbol of a halt must be a string that neither begins nor ends',
  ],
])('refuses %j', (item, message) => {
  const { events, reasons } = read(item);
  expect(events).toEqual([]);
  expect(reasons).toEqual([expect.stringContaining(`The mapping returned an invalid item: ${message}`)]);
});

it.each(['halted', 'trading'])(
  'a status of %s counts without its invalid fields, which are named',
  (market) => {
    const status = { kind: 'status', symbol: 'AAPL', market };
    const { events, reasons } = read(
      { ...status, timestamp: AT / 1e3 },
      { ...status, timestamp: AT, detail: '' },
    );
    const kind = market === 'halted' ? 'halt' : 'resume';
    expect(events.map((event) => event.kind)).toEqual([kind, kind]);
    expect(events[0]).not.toHaveProperty('timestamp');
    expect(events[1]).toMatchObject({ timestamp: AT });
    expect(reasons).toEqual([expect.stringContaining(`timestamp of the ${kind} of "AAPL" must be`)]);
  },
);

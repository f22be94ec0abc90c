// The messages of Alpaca's stream, with the examples of its documentation, and its table of sale conditions.

import { describe, expect, it } from 'vitest';
import { checkedEvent, readAlpacaMessage, toVenueEvents, type VenueEvent } from '../index.ts';

/** The checked events of a recorded frame. */
function eventsOf(...frame: readonly object[]): readonly VenueEvent[] {
  return toVenueEvents({ at: 1, dir: 'in', frame });
}

/** A message as the official client decodes it from msgpack. */
function decoded(message: object): VenueEvent {
  return checkedEvent(readAlpacaMessage(message as never) as never);
}

const TRADE = {
  T: 't',
  i: 96_921,
  S: 'AAPL',
  x: 'D',
  p: 126.55,
  s: 1,
  t: '2021-02-22T15:51:44.208Z',
  c: ['@', 'I'],
  z: 'C',
};
const CORRECTION = {
  T: 'c',
  S: 'EEM',
  x: 'M',
  oi: 52_983_525_033_527,
  op: 39.1582,
  os: 440_000,
  oc: [' ', '7'],
  ci: 52_983_525_034_326,
  cp: 39.1809,
  cs: 440_000,
  cc: [' ', '7'],
  z: 'B',
  t: '2023-04-06T14:25:06.542305024Z',
};
const CANCEL = {
  T: 'x',
  S: 'GOOGL',
  i: 465,
  x: 'D',
  p: 105.31,
  s: 300,
  a: 'C',
  z: 'C',
  t: '2023-04-06T13:15:42.83540958Z',
};
const BAND = { T: 'l', S: 'IONM', u: 3.24, d: 2.65, i: 'B', t: '2023-04-06T13:34:45.565004401Z', z: 'C' };

it('reads a trade with its identifier, conditions and what they exclude', () => {
  expect(eventsOf(TRADE)).toEqual([
    {
      kind: 'trade',
      symbol: 'AAPL',
      price: 126.55,
      size: 1,
      timestamp: Date.UTC(2021, 1, 22, 15, 51, 44, 208),
      trade_id: 'D-96921',
      conditions: ['@', 'I'],
      excluded_from: ['last', 'high_low'],
    },
  ]);
});

it('reads a correction', () => {
  expect(eventsOf(CORRECTION)).toEqual([
    {
      kind: 'correction',
      symbol: 'EEM',
      original: { trade_id: 'M-52983525033527', price: 39.1582, size: 440_000 },
      corrected: {
        trade_id: 'M-52983525034326',
        price: 39.1809,
        size: 440_000,
        conditions: [' ', '7'],
        excluded_from: ['last', 'high_low'],
      },
      timestamp: Date.UTC(2023, 3, 6, 14, 25, 6, 542),
    },
  ]);
});

it.each([
  ['C', 'cancel'],
  ['E', 'error'],
])('reads a cancelled trade with the action %s', (a, reason) => {
  expect(eventsOf({ ...CANCEL, a })).toEqual([
    {
      kind: 'cancel',
      symbol: 'GOOGL',
      original: { trade_id: 'D-465', price: 105.31, size: 300 },
      reason,
      timestamp: Date.UTC(2023, 3, 6, 13, 15, 42, 835),
    },
  ]);
});

it('reads price bands, and that they are not in force', () => {
  const band = { kind: 'band', symbol: 'IONM', timestamp: Date.UTC(2023, 3, 6, 13, 34, 45, 565) };
  const limits = { limit_down: 2.65, limit_up: 3.24 };
  expect(eventsOf(BAND)).toEqual([{ ...band, ...limits }]);
  expect(eventsOf({ ...BAND, i: 'D' }, { ...BAND, i: 'F' }, { ...BAND, u: 0, d: 0 })).toEqual([
    band,
    band,
    band,
  ]);
});

it.each(['A', 'B'])('on tape %s, takes a limit that is reached or left for no end of a band', (z) => {
  const states = ['C', 'D', 'E', 'F', 'G', 'H', 'I', 'J'].map((i) => ({ ...BAND, z, i, u: 0, d: 0 }));
  expect(eventsOf(...states)).toEqual([]);
  expect(eventsOf({ ...BAND, z, i: 'A' })).toMatchObject([{ limit_down: 2.65, limit_up: 3.24 }]);
  expect(eventsOf({ ...BAND, z, i: 'A', u: 0, d: 0 })).toEqual([
    { kind: 'band', symbol: 'IONM', timestamp: expect.any(Number) },
  ]);
});

it('reads halts and their ends', () => {
  const status = { T: 's', S: 'AAPL', sm: 'Trading Halt', rc: 'T12', rm: 'Information', t: TRADE.t };
  expect(eventsOf({ ...status, sc: 'H' }, { ...status, sc: 'Q' }, { ...status, sc: 'T' })).toEqual([
    {
      kind: 'halt',
      symbol: 'AAPL',
      detail: 'Trading Halt, T12, Information',
      timestamp: Date.UTC(2021, 1, 22, 15, 51, 44, 208),
    },
    { kind: 'resume', symbol: 'AAPL', timestamp: Date.UTC(2021, 1, 22, 15, 51, 44, 208) },
  ]);
  const { t: _, ...untimed } = status;
  expect(eventsOf({ ...untimed, sc: '3' })).toEqual([{ kind: 'resume', symbol: 'AAPL' }]);
});

it('reads the side of the taker on the crypto stream', () => {
  const { c, x, z, ...trade } = TRADE;
  expect(eventsOf({ ...trade, tks: 'B' }, { ...trade, tks: 'S' }, { ...trade, tks: '-' })).toMatchObject([
    { taker_side: 'buy', trade_id: '96921' },
    { taker_side: 'sell' },
    { kind: 'trade' },
  ]);
});

it('reads 64-bit integers exactly, and refuses those that would be rounded', () => {
  expect(decoded({ ...TRADE, i: 2n ** 60n + 1n, s: 5n })).toMatchObject({
    trade_id: 'D-1152921504606846977',
    size: 5,
  });
  expect(() => decoded({ ...TRADE, s: 2n ** 53n })).toThrow(
    'size of the trade of "AAPL" must be at most 2^53 - 1, but was 9007199254740992n',
  );
  expect(() => decoded({ ...TRADE, i: 2 ** 53 })).toThrow('trade_id of the trade of "AAPL" must be');
});

it.each([
  [{ t: 'yesterday' }, 'but was "yesterday"'],
  [{ t: '5' }, 'but was "5"'],
  [{ t: 1_614_009_104 }, 'but was 1614009104, which looks like seconds'],
  [{ t: { toDate: 1 } }, 'but was an object'],
  [{ p: {} }, 'price of the trade of "AAPL" must be'],
  [{ c: 'I' }, 'conditions of the trade of "AAPL" must be a list'],
])('refuses %j', (fields, message) => {
  expect(() => decoded({ ...TRADE, ...fields })).toThrow(message);
});

describe('sale conditions', () => {
  const exclusions = (z: string | undefined, ...c: string[]) => {
    const [event] = eventsOf({ ...TRADE, c, z });
    return event?.kind === 'trade' ? (event.excluded_from ?? []) : undefined;
  };
  const price = ['last', 'high_low'];
  const all = ['last', 'high_low', 'volume'];
  // The table of docs.alpaca.markets for minute bars: what a trade with the condition does not update.
  const everywhere: Record<string, readonly string[]> = {
    C: price,
    H: price,
    I: price,
    K: [],
    L: [],
    M: all,
    N: price,
    O: [],
  };
  Object.assign(everywhere, {
    P: price,
    Q: all,
    R: price,
    T: [],
    U: price,
    V: price,
    X: [],
    Z: price,
    F: [],
  });
  Object.assign(everywhere, { 4: price, 5: [], 6: [], 7: price, 9: all });
  const tables = {
    A: { ...everywhere, ' ': [], B: price, E: [] },
    B: { ...everywhere, ' ': [], B: price, E: [] },
    C: { ...everywhere, '@': [], A: [], B: [], D: [], G: price, W: price, Y: [] },
    O: { '@': [], C: price, I: price, N: price, P: price, R: price, T: [], U: price, W: price },
  };

  it.each(Object.entries(tables))('of tape %s', (tape, table) => {
    const read = Object.keys(table).map((code) => [code, exclusions(tape, code)]);
    expect(Object.fromEntries(read)).toEqual(table);
  });

  it('count by the strictest of several', () => {
    expect(exclusions('C', '@', '4', 'I')).toEqual(price);
    expect(exclusions('C', 'I', 'M', '@')).toEqual(all);
    expect(exclusions('C', '@', 'F', 'T')).toEqual([]);
  });

  it('count without a tape if they exclude the trade on any tape', () => {
    expect([exclusions(undefined, 'B'), exclusions(undefined, 'W'), exclusions(undefined, '@')]).toEqual([
      price,
      price,
      [],
    ]);
  });

  it('exclude from nothing if they are unknown or absent', () => {
    expect([exclusions('C', '?'), exclusions('C')]).toEqual([[], []]);
  });
});

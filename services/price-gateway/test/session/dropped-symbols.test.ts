import { expect, it } from 'vitest';
import { namedSymbols } from '../../feeds/named-symbols.ts';
import { DroppedSymbols } from '../../session/dropped-symbols.ts';

function suspicions() {
  let now = 0;
  const dropped = new DroppedSymbols(() => now);
  return {
    dropped,
    /** A frame that is not understood, `ms` after the last one. */
    add: (symbol: string, ms = 100) => {
      now += ms;
      dropped.add([symbol], 'read threw.');
    },
    pass: (ms: number) => {
      now += ms;
    },
    names: () => [...dropped.list().keys()],
  };
}

it('names an instrument after three frames in a row that were not understood, with the reason', () => {
  const { dropped, add, names } = suspicions();
  add('AAPL');
  add('AAPL');
  expect(names()).toEqual([]);
  add('AAPL');
  expect([...dropped.list()]).toEqual([['AAPL', 'read threw.']]);
});

it('does not name an instrument of which an event was understood in between', () => {
  const { dropped, add, names } = suspicions();
  for (let n = 0; n < 20; n++) {
    add('AAPL');
    add('AAPL');
    dropped.understood('AAPL');
  }
  expect(names()).toEqual([]);
});

it('does not add up frames that are far apart, and forgets an instrument of which no more come', () => {
  const { add, pass, names } = suspicions();
  for (let n = 0; n < 20; n++) add('AAPL', 3_001);
  expect(names()).toEqual([]);
  add('AAPL');
  add('AAPL');
  expect(names()).toEqual(['AAPL']);
  pass(3_001);
  expect(names()).toEqual([]);
});

it('forgets a connection', () => {
  const { dropped, add, names } = suspicions();
  for (let n = 0; n < 5; n++) add('AAPL');
  dropped.reset();
  expect(names()).toEqual([]);
});

it.each([
  [{ type: 'trade', data: [{ s: 'AAPL', p: 1 }] }, ['AAPL']],
  [{ ch: 'market.btcusdt.bbo' }, ['btcusdt']],
  [
    ['BTC/USD', 'AAPL'],
    ['AAPL', 'BTC/USD'],
  ],
  ['AAPL@trade', ['AAPL']],
  [{ text: 'AAPL is halted' }, []],
  [{ AAPL: 1 }, []],
  ['A'.repeat(1_000), []],
  [undefined, []],
])('finds the requested symbols in the frame %j', (frame, expected) => {
  expect([...namedSymbols(frame, new Set(['AAPL', 'btcusdt', 'BTC/USD']))].sort()).toEqual(expected);
});

it('looks at a bounded number of values of a large frame', () => {
  const names = (count: number) => [...Array.from({ length: count }, () => 'x'), 'AAPL'];
  expect(namedSymbols(names(50), new Set(['AAPL']))).toEqual(['AAPL']);
  const book = { bids: Array.from({ length: 1_000 }, () => ['1.5', '2']), symbol: 'AAPL' };
  expect(namedSymbols(book, new Set(['AAPL']))).toEqual(['AAPL']);
  expect(namedSymbols(names(1_000), new Set(['AAPL']))).toEqual([]);
});

// Which instruments are asked for: the settings' always, the bots' until a while after the last one has gone.

import { expect, it } from 'vitest';
import { SymbolDemand } from '../../demand/symbol-demand.ts';

it('is what the settings say, whether or not a bot asks', () => {
  const wanted = new SymbolDemand({ always: ['AAPL'], graceMs: 100 });
  expect(wanted.list()).toEqual(['AAPL']);
  wanted.update(['AAPL', 'MSFT'], 0);
  expect(wanted.list()).toEqual(['AAPL', 'MSFT']);
});

it('keeps what a bot asked for until the grace period is over, and from the beginning when it comes back', () => {
  const wanted = new SymbolDemand({ always: [], graceMs: 100 });
  wanted.update(['MSFT'], 0);
  wanted.update([], 99);
  expect(wanted.list()).toEqual(['MSFT']);
  wanted.update(['MSFT'], 99.5);
  wanted.update([], 199);
  expect(wanted.list()).toEqual(['MSFT']);
  wanted.update([], 200);
  expect(wanted.list()).toEqual([]);
});

it('lets go at once without a grace period', () => {
  const wanted = new SymbolDemand({ always: [], graceMs: 0 });
  wanted.update(['MSFT'], 5);
  expect(wanted.list()).toEqual(['MSFT']);
  wanted.update([], 6);
  expect(wanted.list()).toEqual([]);
});

it('puts the settings first, then who came first, and last what nobody asks for any more', () => {
  const wanted = new SymbolDemand({ always: ['SPY'], graceMs: 100 });
  wanted.update(['A', 'B', 'C'], 0);
  wanted.update(['D', 'C', 'B'], 1);
  expect(wanted.list()).toEqual(['SPY', 'B', 'C', 'D', 'A']);
});

it('is everything with *, and nothing besides', () => {
  const wanted = new SymbolDemand({ always: ['*'], graceMs: 100 });
  wanted.update(['A'], 0);
  expect(wanted.list()).toEqual(['*']);
  expect([...wanted.requestedByBots()]).toEqual(['A']);
});

it('cannot be made everything by a bot', () => {
  const wanted = new SymbolDemand({ always: [], graceMs: 100 });
  wanted.update(['*', 'A'], 0);
  expect(wanted.list()).toEqual(['A']);
});

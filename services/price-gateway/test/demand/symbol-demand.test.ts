// The requested symbols: those of the settings always, those of bots until the grace period has passed.

import { expect, it } from 'vitest';
import { SymbolDemand } from '../../demand/symbol-demand.ts';

it('always contains the symbols of the settings', () => {
  const demand = new SymbolDemand({ always: ['AAPL'], graceMs: 100 });
  expect(demand.list()).toEqual(['AAPL']);
  demand.update(['AAPL', 'MSFT'], 0);
  expect(demand.list()).toEqual(['AAPL', 'MSFT']);
});

it('keeps a symbol for the grace period, which restarts when a bot requests it again', () => {
  const demand = new SymbolDemand({ always: [], graceMs: 100 });
  demand.update(['MSFT'], 0);
  demand.update([], 99);
  expect(demand.list()).toEqual(['MSFT']);
  demand.update(['MSFT'], 99.5);
  demand.update([], 199);
  expect(demand.list()).toEqual(['MSFT']);
  demand.update([], 200);
  expect(demand.list()).toEqual([]);
});

it('drops a symbol immediately without a grace period', () => {
  const demand = new SymbolDemand({ always: [], graceMs: 0 });
  demand.update(['MSFT'], 5);
  expect(demand.list()).toEqual(['MSFT']);
  demand.update([], 6);
  expect(demand.list()).toEqual([]);
});

it('orders the settings first, then by first request, and symbols in their grace period last', () => {
  const demand = new SymbolDemand({ always: ['SPY'], graceMs: 100 });
  demand.update(['A', 'B', 'C'], 0);
  demand.update(['D', 'C', 'B'], 1);
  expect(demand.list()).toEqual(['SPY', 'B', 'C', 'D', 'A']);
});

it('is only * if the settings request all symbols', () => {
  const demand = new SymbolDemand({ always: ['*'], graceMs: 100 });
  demand.update(['A'], 0);
  expect(demand.list()).toEqual(['*']);
  expect([...demand.requestedByBots()]).toEqual(['A']);
});

it('ignores * from a bot', () => {
  const demand = new SymbolDemand({ always: [], graceMs: 100 });
  demand.update(['*', 'A'], 0);
  expect(demand.list()).toEqual(['A']);
});

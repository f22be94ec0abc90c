// The requested symbols: those of the settings always, those of bots until the grace period has passed.

import { expect, it } from 'vitest';
import { SymbolDemand } from '../../demand/symbol-demand.ts';

it('always contains the symbols of the settings', () => {
  const demand = new SymbolDemand({ always: ['AAPL'], graceMs: 100, limit: 100 });
  expect(demand.list()).toEqual(['AAPL']);
  demand.update(['AAPL', 'MSFT'], 0);
  expect(demand.list()).toEqual(['AAPL', 'MSFT']);
});

it('keeps a symbol for the grace period, which restarts when a bot requests it again', () => {
  const demand = new SymbolDemand({ always: [], graceMs: 100, limit: 100 });
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
  const demand = new SymbolDemand({ always: [], graceMs: 0, limit: 100 });
  demand.update(['MSFT'], 5);
  expect(demand.list()).toEqual(['MSFT']);
  demand.update([], 6);
  expect(demand.list()).toEqual([]);
});

it('orders the settings first, then by first request, and symbols in their grace period last', () => {
  const demand = new SymbolDemand({ always: ['SPY'], graceMs: 100, limit: 100 });
  demand.update(['A', 'B', 'C'], 0);
  demand.update(['D', 'C', 'B'], 1);
  expect(demand.list()).toEqual(['SPY', 'B', 'C', 'D', 'A']);
});

it('is only * if the settings request all symbols', () => {
  const demand = new SymbolDemand({ always: ['*'], graceMs: 100, limit: 100 });
  demand.update(['A'], 0);
  expect(demand.list()).toEqual(['*']);
  expect([...demand.requestedByBots()]).toEqual(['A']);
});

it('ignores * from a bot', () => {
  const demand = new SymbolDemand({ always: [], graceMs: 100, limit: 100 });
  demand.update(['*', 'A'], 0);
  expect(demand.list()).toEqual(['A']);
});

it('keeps the symbols that were requested first at its limit, and says how many it leaves out', () => {
  const demand = new SymbolDemand({ always: ['SPY'], graceMs: 100, limit: 2 });
  demand.update(['A', 'B'], 0);
  expect([demand.leftOut, demand.problem]).toEqual([0, undefined]);
  const flood = Array.from({ length: 1_000 }, (_, index) => `X${index}`);
  demand.update([...flood, 'B', 'A'], 1);
  expect(demand.list()).toEqual(['SPY', 'A', 'B']);
  expect([...demand.requestedByBots()]).toEqual(['A', 'B']);
  expect(demand.leftOut).toBe(1_000);
  expect(demand.problem).toContain('Bots request 1000 symbols more than the limit of 2');
  demand.update(['A', 'X0'], 200);
  expect(demand.list()).toEqual(['SPY', 'A', 'X0']);
  expect([demand.leftOut, demand.problem]).toEqual([0, undefined]);
});

it('has a new version whenever the list changes, and no other', () => {
  const demand = new SymbolDemand({ always: [], graceMs: 10, limit: 100 });
  const versions = [
    ['A', 'B'],
    ['B', 'A'],
    ['A'],
    ['A'],
    ['A', 'B'],
    ['A', 'B', '*'],
    ['B'],
    ['B'],
    ['B'],
  ].map((symbols, index) => {
    demand.update(symbols, index * 4);
    return [demand.version, demand.list().join()];
  });
  expect(versions).toEqual([
    [1, 'A,B'],
    [1, 'A,B'],
    [2, 'A,B'],
    [2, 'A,B'],
    [3, 'A,B'],
    [3, 'A,B'],
    [4, 'B,A'],
    [4, 'B,A'],
    [5, 'B'],
  ]);
});

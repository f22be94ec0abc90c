// One change at a time, until the broker serves or has refused each requested symbol.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SubscriptionPlan } from '../../feeds/subscription-plan.ts';

/**
 * Simulates a broker with a symbol limit and unknown symbols; returns the refused symbols and the number of changes.
 */
function settle(plan: SubscriptionPlan, served: Set<string>, limit: number, unknown: ReadonlySet<string>) {
  const refused: string[] = [];
  let changes = 0;
  for (let change = plan.next(); change !== undefined; change = plan.next()) {
    if (++changes > 1_000) throw new Error('The plan does not terminate.');
    expect(plan.next()).toBeUndefined();
    const { action, symbols } = change;
    if (action === 'unsubscribe') for (const symbol of symbols) served.delete(symbol);
    else if (symbols.some((symbol) => unknown.has(symbol))) {
      refused.push(...plan.refuse({ isLimit: false }));
      continue;
    } else if (served.size + symbols.length > limit) {
      refused.push(...plan.refuse({ isLimit: true }));
      continue;
    } else for (const symbol of symbols) served.add(symbol);
    refused.push(...plan.acknowledge([...served]));
  }
  return { refused, changes };
}

it('requests everything at first, then the difference, and unsubscribes first', () => {
  const plan = new SubscriptionPlan();
  plan.setRequested(['A', 'B']);
  expect(plan.next()).toEqual({ action: 'subscribe', symbols: ['A', 'B'] });
  plan.acknowledge(['A', 'B']);
  plan.setRequested(['B', 'C']);
  expect(plan.next()).toEqual({ action: 'unsubscribe', symbols: ['A'] });
  plan.acknowledge(['B']);
  expect(plan.next()).toEqual({ action: 'subscribe', symbols: ['C'] });
  plan.acknowledge(['B', 'C']);
  expect(plan.next()).toBeUndefined();
});

it('fills the limit with the first symbols in few steps', () => {
  const plan = new SubscriptionPlan();
  const requested = Array.from({ length: 1_000 }, (_, index) => `S${index}`);
  plan.setRequested(requested);
  const served = new Set<string>();
  const { refused, changes } = settle(plan, served, 30, new Set());
  expect([...served]).toEqual(requested.slice(0, 30));
  expect(refused).toEqual(requested.slice(30));
  expect(changes).toBeLessThan(25);
});

it('returns a symbol that the broker left out of its acknowledgement', () => {
  const plan = new SubscriptionPlan();
  plan.setRequested(['A', 'B']);
  plan.next();
  expect(plan.acknowledge(['B'])).toEqual(['A']);
  expect(plan.next()).toBeUndefined();
  plan.setRequested(['A', 'B']);
  expect(plan.next()).toEqual({ action: 'subscribe', symbols: ['A'] });
});

it('ends with every symbol either served or refused, whatever the broker accepts', () => {
  const symbols = fc.uniqueArray(fc.constantFrom(...'ABCDEFGHIJKLMNOP'));
  fc.assert(
    fc.property(fc.array(symbols, { maxLength: 4 }), symbols, fc.nat(16), (sets, unknown, limit) => {
      const plan = new SubscriptionPlan();
      const served = new Set<string>();
      for (const requested of sets) {
        plan.setRequested(requested);
        const { refused } = settle(plan, served, limit, new Set(unknown));
        expect([...served, ...refused].sort()).toEqual([...requested].sort());
        const known = requested.filter((symbol) => !unknown.includes(symbol));
        expect(served.size).toBe(Math.min(known.length, Math.max(limit, 0)));
      }
    }),
  );
});

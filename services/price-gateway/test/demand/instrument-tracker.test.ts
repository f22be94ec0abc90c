// What is said of each instrument, and when: once for each change, anew with each connection to the broker.

import { expect, it } from 'vitest';
import { InstrumentTracker } from '../../demand/instrument-tracker.ts';

const NO_LIMIT = Number.POSITIVE_INFINITY;

function served(...symbols: string[]): InstrumentTracker {
  const instruments = new InstrumentTracker();
  instruments.setRequested(symbols, NO_LIMIT);
  instruments.acknowledge(symbols);
  instruments.takeChanges([]);
  return instruments;
}

it('says nothing before the broker has answered, then that it is subscribed, once', () => {
  const instruments = new InstrumentTracker();
  instruments.setRequested(['A', 'B'], NO_LIMIT);
  expect(instruments.takeChanges([])).toEqual([]);
  instruments.acknowledge(['A']);
  expect(instruments.takeChanges([])).toEqual([{ symbol: 'A', state: 'subscribed' }]);
  expect(instruments.takeChanges([])).toEqual([]);
  expect(instruments).toMatchObject({ wanted: 2, refused: 0 });
});

it('says that the broker refuses one, and that it does not know one', () => {
  const instruments = new InstrumentTracker();
  instruments.setRequested(['A', 'B'], NO_LIMIT);
  instruments.refuse({ symbol: 'A', code: 405, reason: 'Too many.', isUnknown: false });
  instruments.refuse({ symbol: 'B', code: undefined, reason: 'No such thing.', isUnknown: true });
  expect(instruments.takeChanges([])).toEqual([
    { symbol: 'A', state: 'refused', detail: 'Too many.' },
    { symbol: 'B', state: 'unknown', detail: 'No such thing.' },
  ]);
  expect(instruments).toMatchObject({ wanted: 2, refused: 2 });
});

it('does not ask the broker for what cannot be a symbol', () => {
  const instruments = new InstrumentTracker();
  expect(instruments.setRequested(['A', 'B C', 'x'.repeat(65), 'BTC/USDT:USDT'], NO_LIMIT)).toEqual([
    'A',
    'BTC/USDT:USDT',
  ]);
  expect(instruments.takeChanges([])).toMatchObject([
    { symbol: 'B C', state: 'unknown' },
    { state: 'unknown' },
  ]);
});

it('refuses what is past its own limit, and gives it as soon as there is room', () => {
  const instruments = new InstrumentTracker();
  instruments.setRequested(['A', 'B'], 1);
  instruments.acknowledge(['A']);
  expect(instruments.takeChanges([])).toEqual([
    { symbol: 'A', state: 'subscribed' },
    { symbol: 'B', state: 'refused', detail: expect.stringContaining('1 instruments at most') },
  ]);
  instruments.setRequested(['B'], 1);
  instruments.acknowledge(['B']);
  expect(instruments.takeChanges([])).toEqual([
    { symbol: 'B', state: 'subscribed' },
    { symbol: 'A', state: 'unsubscribed' },
  ]);
});

it('says it all again after a reconnection, and a refusal only when it has changed', () => {
  const instruments = served('A', 'B');
  instruments.refuse({ symbol: 'B', code: 405, reason: 'Too many.', isUnknown: false });
  expect(instruments.takeChanges([])).toHaveLength(1);
  instruments.disconnect();
  expect(instruments.takeChanges([])).toEqual([]);
  instruments.acknowledge(['A']);
  expect(instruments.takeChanges([])).toEqual([{ symbol: 'A', state: 'subscribed' }]);
});

it('speaks of what bots ask for where everything is wanted', () => {
  const instruments = served('*');
  expect(instruments.takeChanges(['A'])).toEqual([{ symbol: 'A', state: 'subscribed' }]);
});

it('does not speak of what was never said to be there', () => {
  const instruments = new InstrumentTracker();
  instruments.setRequested(['A'], NO_LIMIT);
  instruments.setRequested([], NO_LIMIT);
  expect(instruments.takeChanges([])).toEqual([]);
});

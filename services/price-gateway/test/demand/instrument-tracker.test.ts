// The reported status of each instrument: once per change, and again after each reconnect to the broker.

import { ManualClock } from 'tickbus/testing';
import { expect, it } from 'vitest';
import { InstrumentTracker } from '../../demand/instrument-tracker.ts';
import { AT } from '../gateway.fixture.ts';

const NO_LIMIT = Number.POSITIVE_INFINITY;

function served(...symbols: string[]): InstrumentTracker {
  const instruments = new InstrumentTracker(new ManualClock(AT));
  instruments.setRequested(symbols, NO_LIMIT);
  instruments.acknowledge(symbols);
  instruments.takeChanges();
  return instruments;
}

it('reports nothing before the broker answers, then `subscribed` once', () => {
  const instruments = new InstrumentTracker(new ManualClock(AT));
  instruments.setRequested(['A', 'B'], NO_LIMIT);
  expect(instruments.takeChanges()).toEqual([]);
  instruments.acknowledge(['A']);
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'subscribed' }]);
  expect(instruments.takeChanges()).toEqual([]);
  expect(instruments).toMatchObject({ requestedCount: 2, refusedCount: 0 });
});

it('reports refused and unknown instruments', () => {
  const instruments = new InstrumentTracker(new ManualClock(AT));
  instruments.setRequested(['A', 'B'], NO_LIMIT);
  instruments.refuse({ symbol: 'A', code: 405, reason: 'Too many.', isUnknown: false });
  instruments.refuse({ symbol: 'B', code: undefined, reason: 'No such thing.', isUnknown: true });
  expect(instruments.takeChanges()).toEqual([
    { symbol: 'A', state: 'refused', detail: 'Too many.' },
    { symbol: 'B', state: 'unknown', detail: 'No such thing.' },
  ]);
  expect(instruments).toMatchObject({ requestedCount: 2, refusedCount: 2 });
});

it('does not request malformed symbols from the broker', () => {
  const instruments = new InstrumentTracker(new ManualClock(AT));
  expect(instruments.setRequested(['A', 'B  C', 'x'.repeat(129), 'BTC/USDT:USDT'], NO_LIMIT)).toEqual([
    'A',
    'BTC/USDT:USDT',
  ]);
  expect(instruments.takeChanges()).toMatchObject([
    { symbol: 'B  C', state: 'unknown' },
    { state: 'unknown' },
  ]);
});

it('refuses symbols past the limit, and requests them when there is room', () => {
  const instruments = new InstrumentTracker(new ManualClock(AT));
  instruments.setRequested(['A', 'B'], 1);
  instruments.acknowledge(['A']);
  expect(instruments.takeChanges()).toEqual([
    { symbol: 'A', state: 'subscribed' },
    { symbol: 'B', state: 'refused', detail: expect.stringContaining('SYMBOL_LIMIT=1') },
  ]);
  instruments.setRequested(['B'], 1);
  instruments.acknowledge(['B']);
  expect(instruments.takeChanges()).toEqual([
    { symbol: 'A', state: 'unsubscribed' },
    { symbol: 'B', state: 'subscribed' },
  ]);
});

it('repeats `subscribed` after a reconnect, and a refusal only if it changed', () => {
  const instruments = served('A', 'B');
  instruments.refuse({ symbol: 'B', code: 405, reason: 'Too many.', isUnknown: false });
  expect(instruments.takeChanges()).toHaveLength(1);
  instruments.disconnect();
  expect(instruments.takeChanges()).toEqual([]);
  instruments.acknowledge(['A']);
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'subscribed' }]);
});

it('reports symbols that bots request when all symbols are requested', () => {
  const instruments = served('*');
  instruments.setOfBots(['A']);
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'subscribed' }]);
  instruments.setOfBots([]);
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'unsubscribed' }]);
});

it('does not report `unsubscribed` for a symbol that it never reported', () => {
  const instruments = new InstrumentTracker(new ManualClock(AT));
  instruments.setRequested(['A'], NO_LIMIT);
  instruments.setRequested([], NO_LIMIT);
  expect(instruments.takeChanges()).toEqual([]);
});

it('reports `unsubscribed` for an instrument that is withdrawn while the broker is disconnected', () => {
  const instruments = served('A', 'B');
  instruments.disconnect();
  instruments.setRequested(['B'], NO_LIMIT);
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'unsubscribed' }]);
});

it('ignores a refusal of a symbol that nobody requests', () => {
  const instruments = served('A');
  instruments.refuse({ symbol: 'X', code: undefined, reason: 'No such thing.', isUnknown: true });
  expect(instruments.takeChanges()).toEqual([]);
  expect(instruments.refusedCount).toBe(0);
});

it('checks only the symbols that an event concerns, and at most the given number at once', () => {
  const symbols = Array.from({ length: 60_000 }, (_, index) => `S${index}`);
  const instruments = new InstrumentTracker(new ManualClock(AT));
  instruments.setRequested(symbols, NO_LIMIT);
  expect(instruments.takeChanges(100)).toEqual([]);
  expect(instruments.hasUnchecked).toBe(true);
  instruments.takeChanges();
  let checks = 0;
  for (const symbol of symbols) {
    instruments.refuse({ symbol, code: undefined, reason: 'No.', isUnknown: true });
    while (instruments.hasUnchecked) {
      checks++;
      instruments.takeChanges(1);
    }
  }
  expect(checks).toBe(60_000);
  expect(instruments.refusedCount).toBe(60_000);
});

it('ends the statuses of an earlier gateway that nobody requests, and reports the others once known', () => {
  const instruments = served('A');
  instruments.setRequested(['A', 'B'], NO_LIMIT);
  instruments.inherit(['A', 'B', 'C'].map((symbol) => ({ symbol })));
  expect(instruments.takeChanges()).toEqual([{ symbol: 'C', state: 'unsubscribed' }]);
  instruments.acknowledge(['A', 'B']);
  expect(instruments.takeChanges()).toEqual([{ symbol: 'B', state: 'subscribed' }]);
  instruments.inherit([{ symbol: 'B' }]);
  expect(instruments.takeChanges()).toEqual([]);
});

it('keeps a halt that an earlier gateway reported, until trading resumes or a trade shows that it has', () => {
  const instruments = new InstrumentTracker(new ManualClock(AT));
  instruments.setRequested(['A', 'B'], NO_LIMIT);
  instruments.inherit(['A', 'B'].map((symbol) => ({ symbol, market: 'halted', detail: 'T1' })));
  instruments.acknowledge(['A', 'B']);
  const halted = { state: 'subscribed', market: 'halted', detail: 'T1', halted_at: AT + 1_000 };
  expect(instruments.takeChanges()).toEqual([
    { symbol: 'A', ...halted },
    { symbol: 'B', ...halted },
  ]);
  instruments.resume('A');
  expect(instruments.traded('B', AT + 1_001)).toBe(true);
  expect(instruments.takeChanges()).toEqual([
    { symbol: 'A', state: 'subscribed', state_for_ms: 0 },
    { symbol: 'B', state: 'subscribed', state_for_ms: 0 },
  ]);
});

it('keeps a missing price that an earlier gateway reported, and that of an instrument that is requested again', () => {
  const instruments = new InstrumentTracker(new ManualClock(AT));
  instruments.setRequested(['A'], NO_LIMIT);
  instruments.inherit([{ symbol: 'A', market: 'no_price' }]);
  instruments.acknowledge(['A']);
  const withoutPrice = { symbol: 'A', state: 'subscribed', market: 'no_price' };
  expect(instruments.takeChanges()).toEqual([withoutPrice]);
  instruments.setRequested([], NO_LIMIT);
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'unsubscribed' }]);
  instruments.setRequested(['A'], NO_LIMIT);
  expect(instruments.takeChanges()).toEqual([withoutPrice]);
  expect(instruments.setPriced('A', true)).toBe(true);
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'subscribed', state_for_ms: 0 }]);
});

it('keeps the halt of an instrument that is requested again, until a trade shows that it has ended', () => {
  const instruments = new InstrumentTracker(new ManualClock(AT));
  instruments.setRequested(['A'], NO_LIMIT);
  instruments.acknowledge(['A']);
  instruments.halt('A', 'T1');
  instruments.setRequested([], NO_LIMIT);
  instruments.takeChanges();
  instruments.setRequested(['A'], NO_LIMIT);
  expect(instruments.takeChanges()).toMatchObject([
    { symbol: 'A', state: 'subscribed', market: 'halted', detail: 'T1' },
  ]);
  expect(instruments.traded('A', AT + 1_001)).toBe(true);
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'subscribed', state_for_ms: 0 }]);
});

it('a trade from before a halt does not end it, also after a takeover', () => {
  const former = served('A');
  former.halt('A', 'T1', AT);
  const [status] = former.takeChanges();
  expect(status).toMatchObject({ market: 'halted', halted_at: AT });
  const instruments = new InstrumentTracker(new ManualClock(AT));
  instruments.setRequested(['A'], NO_LIMIT);
  instruments.inherit(status === undefined ? [] : [status]);
  instruments.acknowledge(['A']);
  expect(instruments.traded('A', AT - 1)).toBe(false);
  expect(instruments.resume('A', AT - 1)).toBe(false);
  expect(instruments.takeChanges()).toMatchObject([{ market: 'halted', halted_at: AT }]);
  expect(instruments.traded('A', AT + 1)).toBe(true);
});

it('knows that a halted instrument has no price either, also after a takeover', () => {
  const former = served('A');
  former.setPriced('A', false);
  former.halt('A', 'T1', AT);
  const [status] = former.takeChanges();
  expect(status).toMatchObject({ market: 'halted', has_price: false });
  const instruments = new InstrumentTracker(new ManualClock(AT + 10));
  instruments.setRequested(['A'], NO_LIMIT);
  instruments.inherit(status === undefined ? [] : [status]);
  instruments.acknowledge(['A']);
  instruments.resume('A', AT + 5);
  expect(instruments.takeChanges()).toMatchObject([{ market: 'no_price' }]);
});

it('a trade from before a halt without a time does not end it after a takeover, but a later one does', () => {
  const former = served('A');
  former.halt('A', 'T1');
  const instruments = new InstrumentTracker(new ManualClock(AT + 60_000));
  instruments.inherit(former.takeChanges());
  expect(instruments.traded('A', AT - 1)).toBe(false);
  expect(instruments.traded('A', AT + 5_000)).toBe(true);
});

it('does not replace later news of the venue by an inherited halt', () => {
  const instruments = new InstrumentTracker(new ManualClock(AT + 60_000));
  instruments.setRequested(['A', 'B'], NO_LIMIT);
  instruments.acknowledge(['A', 'B']);
  instruments.resume('A', AT + 1);
  instruments.halt('B', 'T2', AT + 1);
  instruments.inherit(['A', 'B'].map((symbol) => ({ symbol, market: 'halted', halted_at: AT })));
  expect(instruments.takeChanges()).toEqual([
    { symbol: 'A', state: 'subscribed' },
    { symbol: 'B', state: 'subscribed', market: 'halted', detail: 'T2', halted_at: AT + 1 },
  ]);
});

it('a late resumption does not end a halt, but a trade after it does', () => {
  const instruments = served('A');
  instruments.halt('A', 'T1', AT);
  expect(instruments.resume('A', AT - 1)).toBe(false);
  expect(instruments.takeChanges()).toMatchObject([{ market: 'halted' }]);
  expect(instruments.traded('A', AT)).toBe(false);
  expect(instruments.traded('A', AT + 1)).toBe(true);
});

it('a trade ends a halt whose time was far in the future, if its end may have been missed', () => {
  const former = served('A');
  former.halt('A', 'T1', AT + 36_000_000);
  former.disconnect();
  const instruments = new InstrumentTracker(new ManualClock(AT + 1_000));
  instruments.inherit([{ symbol: 'A', market: 'halted', halted_at: AT + 36_000_000 }]);
  for (const one of [former, instruments]) {
    expect(one.traded('A', AT - 1)).toBe(false);
    expect(one.traded('A', AT + 2_000)).toBe(true);
  }
});

it('says how long the state has lasted if something else changes', async () => {
  const clock = new ManualClock();
  const instruments = new InstrumentTracker(clock);
  instruments.setRequested(['A'], NO_LIMIT);
  instruments.acknowledge(['A']);
  const band = { kind: 'band', symbol: 'A', limit_up: 5, timestamp: AT } as const;
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'subscribed' }]);
  for (const [limit_up, state_for_ms] of [
    [5, 1_000],
    [6, 2_000],
  ] as const) {
    await clock.advance(1_000);
    instruments.setBand({ ...band, limit_up });
    expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'subscribed', limit_up, state_for_ms }]);
  }
  // The connection was lost.
  instruments.disconnect();
  instruments.acknowledge(['A']);
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'subscribed' }]);
});

it('a trade does not end a halt while the feed is connected', () => {
  const instruments = served('A');
  instruments.takeChanges();
  instruments.halt('A');
  expect(instruments.traded('A', AT + 1_001)).toBe(false);
  instruments.disconnect();
  expect(instruments.traded('A', AT + 1_001)).toBe(true);
});

it('under *, reports an instrument that no bot names while it is halted', () => {
  const instruments = served('*');
  instruments.halt('A', 'T1');
  expect(instruments.takeChanges()).toMatchObject([{ symbol: 'A', market: 'halted' }]);
  instruments.resume('A');
  expect(instruments.takeChanges()).toEqual([{ symbol: 'A', state: 'unsubscribed' }]);
});

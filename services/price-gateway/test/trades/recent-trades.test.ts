// RecentTrades recognises what a venue sends again, with and without identifiers, in any order, with bounded memory.

import { randomInt } from 'node:crypto';
import { Random } from '@tickbus/test-kit/random';
import { beforeEach, describe, expect, it } from 'vitest';
import { RecentTrades } from '../../trades/recent-trades.ts';
import { identitiesOf, tradeMessage } from '../../trades/trade-messages.ts';
import { AT } from '../gateway.fixture.ts';

let now: number;
let recent: RecentTrades;
beforeEach(() => {
  now = AT + 1_000_000;
  recent = new RecentTrades(() => now);
});

interface Print {
  readonly at: number;
  readonly price?: number;
  readonly id?: string;
}

function admit({ at, price = 100, id }: Print, symbol = 'AAPL') {
  const [identity] = identitiesOf(
    tradeMessage(
      {
        kind: 'trade',
        symbol,
        price,
        size: 1,
        timestamp: AT + at,
        ...(id !== undefined && { trade_id: id }),
      },
      undefined,
    ),
  );
  return recent.admit(identity);
}

const noveltyOf = (print: Print) => admit(print).novelty;

describe('without identifiers', () => {
  it('counts equal trades: two are two, and the same two are not published again', () => {
    expect([1, 2].map(() => noveltyOf({ at: 1 }))).toEqual(['new', 'new']);
    recent.interrupt('AAPL');
    expect([1, 2, 3].map(() => noveltyOf({ at: 1 }))).toEqual(['repeated', 'repeated', 'new']);
  });

  it('recognises an equal group that is sent again in part, and again after another interruption', () => {
    for (let count = 0; count < 3; count++) noveltyOf({ at: 1 });
    recent.interrupt('AAPL');
    expect([1, 2].map(() => noveltyOf({ at: 1 }))).toEqual(['repeated', 'repeated']);
    recent.interrupt('AAPL');
    expect([1, 2, 3, 4].map(() => noveltyOf({ at: 1 }))).toEqual(['repeated', 'repeated', 'repeated', 'new']);
  });

  it('distinguishes trades by time, price, size and instrument', () => {
    expect(noveltyOf({ at: 1 })).toBe('new');
    recent.interrupt('AAPL');
    expect(noveltyOf({ at: 2 })).toBe('new');
    expect(noveltyOf({ at: 1, price: 101 })).toBe('new');
    expect(admit({ at: 1 }, 'MSFT').novelty).toBe('new');
  });
});

describe('with identifiers', () => {
  it('publishes an identifier once, also without an interruption', () => {
    expect([1, 2].map(() => noveltyOf({ at: 1, id: '7' }))).toEqual(['new', 'repeated']);
    expect(noveltyOf({ at: 1, id: '8' })).toBe('new');
  });

  it('accepts the identifier again on another day, and of another exchange', () => {
    expect(noveltyOf({ at: 1, id: '7' })).toBe('new');
    expect(noveltyOf({ at: 86_400_001, id: '7' })).toBe('new');
    expect(noveltyOf({ at: 2, price: 101, id: '7' })).toBe('new');
  });
});

it('says which trades are late, also if the clock of the venue runs ahead', () => {
  const isLate = (print: Print) => admit(print);
  expect(isLate({ at: 5 })).toMatchObject({ isLate: false });
  expect(isLate({ at: 4 })).toMatchObject({ isLate: true });
  expect(isLate({ at: 5, price: 101 })).toMatchObject({ isLate: false });
  // An hour ahead of the gateway's clock.
  expect(isLate({ at: 1_000_000 + 3_600_000 })).toMatchObject({ isLate: false });
  now += 10;
  expect(isLate({ at: 1_000_010 })).toMatchObject({ isLate: false });
});

it('forgets the oldest, and then publishes nothing that it may have published, unless it is late', () => {
  for (let at = 0; at < 1_500; at++) expect(noveltyOf({ at })).toBe('new');
  expect(admit({ at: 100, price: 7 })).toEqual({ novelty: 'new', occurrence: 1, isLate: true });
  recent.interrupt('AAPL');
  expect(noveltyOf({ at: 400 })).toBe('forgotten');
  for (let at = 502; at < 1_500; at++) expect(noveltyOf({ at })).toBe('repeated');
  expect(noveltyOf({ at: 1_500 })).toBe('new');
});

it.each([1, 3])(
  'publishes nothing twice if the venue sends more again than is remembered, %i of a time',
  (equal) => {
    const sent = Array.from({ length: 2_500 }, (_, n) => ({ at: Math.floor(n / equal), id: String(n) }));
    // Some were lost, so that they are new when the venue sends them again.
    const lost = new Set([400, 1_600, 2_000, 2_499]);
    for (const [n, print] of sent.entries()) if (!lost.has(n)) noveltyOf(print);
    recent.interrupt('AAPL');
    const again = sent.slice(500).map(noveltyOf);
    const isNew = again.flatMap((novelty, index) => (novelty === 'new' ? [index + 500] : []));
    expect(isNew).toEqual([1_600, 2_000, 2_499]);
    expect(noveltyOf({ at: 2_500, id: '2500' })).toBe('new');
  },
);

it('publishes nothing twice if the venue sends the remembered trades again in another order', () => {
  const sent = Array.from({ length: 1_000 }, (_, at) => ({ at, id: String(at) }));
  for (const print of sent) noveltyOf(print);
  recent.interrupt('AAPL');
  // New ones come first, and the oldest remembered ones are forgotten for them.
  for (let at = 1_000; at < 1_010; at++) expect(noveltyOf({ at, id: String(at) })).toBe('new');
  const again = new Set(sent.map(noveltyOf));
  expect(again).toEqual(new Set(['forgotten', 'repeated']));
});

it('remembers what the server has stored, and that older trades may have been published', () => {
  const stored = (at: number) => ({ symbol: 'AAPL', price: 100, size: 1, timestamp: AT + at });
  for (const at of [10, 11, 11]) recent.remember(identitiesOf({ type: 'trade', data: stored(at) })[0]);
  recent.forgetUntil(AT + 10, 'AAPL');
  recent.forgetUntil(AT + 8);
  recent.interrupt('AAPL');
  recent.interrupt('MSFT');
  expect([9, 10, 11, 11, 11, 12].map((at) => noveltyOf({ at }))).toEqual([
    'forgotten',
    'repeated',
    'repeated',
    'repeated',
    'new',
    'new',
  ]);
  expect([8, 9].map((at) => admit({ at }, 'MSFT').novelty)).toEqual(['forgotten', 'new']);
});

it('publishes none of the equal trades again of which the server has dropped the first', () => {
  const stored = { symbol: 'AAPL', price: 100, size: 1, timestamp: AT };
  for (let count = 0; count < 2; count++) recent.remember(identitiesOf({ type: 'trade', data: stored })[0]);
  recent.forgetUntil(AT, 'AAPL');
  recent.interrupt('AAPL');
  expect([1, 2, 3].map(() => noveltyOf({ at: 0 }))).toEqual(['repeated', 'repeated', 'forgotten']);
});

it('publishes each trade of random sessions once, whatever the venue sends again', () => {
  const random = new Random(randomInt(2 ** 31));
  for (let session = 0; session < 200; session++) {
    recent = new RecentTrades(() => now);
    const hasIds = random.percent(50);
    const venue: Print[] = [];
    let published = 0;
    const receive = (print: Print) => {
      if (noveltyOf(print) === 'new') published++;
    };
    for (let step = 0; step < 8; step++) {
      for (let count = random.int(0, 120); count > 0; count--) {
        const at = (venue.at(-1)?.at ?? 0) + random.int(0, 1);
        const print = { at, price: 100 + random.int(0, 1), ...(hasIds && { id: String(venue.length) }) };
        venue.push(print);
        receive(print);
      }
      recent.interrupt('AAPL');
      const again = venue.slice(venue.length - random.int(0, 500));
      if (random.percent(50)) again.sort(() => random.int(0, 1) - 0.5);
      for (const print of again) receive(print);
      // The venue goes on later than the trades that it has sent again.
      venue.push({ at: (venue.at(-1)?.at ?? 0) + 1, ...(hasIds && { id: String(venue.length) }) });
      receive(venue.at(-1) as Print);
    }
    expect(published, `seed ${random.seed}, session ${session}`).toBe(venue.length);
  }
});

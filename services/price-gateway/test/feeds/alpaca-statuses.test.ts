// What Alpaca sends besides trades and quotes: halts, corrections, cancelled trades and price bands.

import { expect, it } from 'vitest';
import { AT, trade } from '../gateway.fixture.ts';
import { useAlpacaBroker } from './alpaca-broker.fixture.ts';

const { startBroker, live } = useAlpacaBroker();

it('reports halts with their reason, and their ends', async () => {
  const { broker, market } = await startBroker();
  const observed = await live(broker);
  const status = { kind: 'status', symbol: 'AAPL', timestamp: AT } as const;
  market.push({ ...status, code: 'H', reason: ['T1', 'News Pending'] }, trade(100, 'MSFT'));
  market.push({ ...status, code: 'Q' });
  market.push({ ...status, code: 'P' });
  market.push({ ...status, code: 'T' });
  await observed.trading.until(({ kind }) => kind === 'resume');
  expect(observed.trading.all).toEqual([
    { kind: 'halt', symbol: 'AAPL', detail: 'Trading Halt, T1, News Pending', timestamp: AT },
    { kind: 'halt', symbol: 'AAPL', detail: 'Volatility Trading Pause', timestamp: AT },
    { kind: 'resume', symbol: 'AAPL', timestamp: AT },
  ]);
  expect(observed.events.all).toMatchObject([{ symbol: 'MSFT', price: 100 }]);
});

it('reports corrections, cancelled trades and price bands', async () => {
  const { broker, market } = await startBroker();
  const observed = await live(broker);
  const original = { trade_id: '7', price: 100, size: 10 };
  const change = { symbol: 'AAPL', original, timestamp: AT } as const;
  const band = { kind: 'band', symbol: 'AAPL', timestamp: AT } as const;
  const corrected = { trade_id: '8', price: 90, size: 5, conditions: ['@', 'I'] };
  market.push({ ...change, kind: 'correction', corrected }, { ...change, kind: 'cancel', reason: 'error' });
  market.push({ ...band, limit_down: 95, limit_up: 105 }, band);
  await observed.bands.until(() => true, 1);
  const reported = { ...change, original: { ...original, trade_id: 'V-7' } };
  expect(observed.changes.all).toEqual([
    {
      ...reported,
      kind: 'correction',
      corrected: { ...corrected, trade_id: 'V-8', excluded_from: ['last', 'high_low'] },
    },
    { ...reported, kind: 'cancel', reason: 'error' },
  ]);
  expect(observed.bands.all).toEqual([{ ...band, limit_down: 95, limit_up: 105 }, band]);
});

it('reports a trade without an identifier', async () => {
  const { broker, market } = await startBroker({ tradeIds: false });
  const observed = await live(broker);
  market.push(trade(1));
  expect(await observed.events.until(() => true)).toEqual({ ...trade(1), conditions: ['@'] });
});

it.each([[['lulds']], [['statuses', 'lulds']]])(
  'serves instruments on a stream without the channels %s',
  async (omittedChannels) => {
    const { broker, market } = await startBroker({ omittedChannels });
    const observed = await live(broker);
    market.push(trade(100.5));
    await observed.events.until(({ kind }) => kind === 'trade');
    expect(observed.refusals.all).toEqual([]);
    expect(broker.stats.accepted).toBe(1);
    market.push({ kind: 'status', symbol: 'AAPL', code: 'H', timestamp: AT }, trade(101));
    await observed.events.until((event) => event.kind === 'trade' && event.price === 101);
    expect(observed.trading.all.length).toBe(omittedChannels.includes('statuses') ? 0 : 1);
  },
);

// The trading statuses of Alpaca: halts and their ends.

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
    { kind: 'halt', symbol: 'AAPL', detail: 'Trading Halt, T1, News Pending' },
    { kind: 'halt', symbol: 'AAPL', detail: 'Volatility Trading Pause' },
    { kind: 'resume', symbol: 'AAPL' },
  ]);
  expect(observed.events.all).toMatchObject([{ symbol: 'MSFT', price: 100 }]);
});

it('serves instruments on a stream without trading statuses', async () => {
  const { broker, market } = await startBroker({ omittedChannels: ['statuses'] });
  const observed = await live(broker);
  market.push(trade(100.5));
  await observed.events.until(({ kind }) => kind === 'trade');
  expect(observed.refusals.all).toEqual([]);
  expect(broker.stats.accepted).toBe(1);
});

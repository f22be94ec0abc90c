// What venues rarely send: conditions, corrections, cancelled trades, halts, price bands, and trades sent again.

import { streaming } from '@alpacahq/alpaca-trade-api';
import type { CancelEvent, CorrectionEvent, MarketEvent } from '@tickbus/capture';
import { afterEach, expect, it } from 'vitest';
import { LOCAL_CREDENTIALS } from '../broker.ts';
import { createRandomWalk } from '../sources/generator.ts';
import { withIncidents } from '../sources/incidents.ts';
import { startBroker } from './broker.fixture.ts';
import { trade } from './manual-source.fixture.ts';
import { RawClient } from './raw-client.fixture.ts';

const AT = Date.UTC(2026, 0, 2, 15, 30, 0, 208);
const streams: streaming.StockDataStream[] = [];

afterEach(() => {
  for (const stream of streams.splice(0)) stream.disconnect();
});

const reference = { trade_id: '7', price: 100, size: 10 };
const correction: CorrectionEvent = {
  kind: 'correction',
  symbol: 'AAPL',
  original: reference,
  corrected: { trade_id: '8', price: 90, size: 5, conditions: ['@', 'I'] },
  timestamp: AT,
};
const cancel: CancelEvent = {
  kind: 'cancel',
  symbol: 'AAPL',
  original: reference,
  reason: 'error',
  timestamp: AT,
};

it('sends every kind of message in the form that the official client reads', async () => {
  const { url, source } = await startBroker();
  const credentials = { keyId: LOCAL_CREDENTIALS.key, secret: LOCAL_CREDENTIALS.secret };
  const stream = new streaming.StockDataStream({ url, credentials, reconnect: false });
  streams.push(stream);
  const received: object[] = [];
  let wake = () => {};
  const add = (value: object) => {
    received.push(value);
    wake();
  };
  stream.onTrade(add).onCorrection(add).onCancelError(add).onLuld(add).onStatus(add);
  stream.on(streaming.EVENT.SUBSCRIPTION, wakeOnAll);
  stream.subscribeForTrades(['AAPL']);
  stream.subscribeForLulds(['AAPL']);
  stream.subscribeForStatuses(['AAPL']);
  stream.connect();
  function wakeOnAll({ trades, lulds, statuses }: Record<string, readonly string[]>): void {
    if (![trades, lulds, statuses].every((symbols) => symbols?.includes('AAPL'))) return;
    source.push(
      { ...(trade(100) as Extract<MarketEvent, { kind: 'trade' }>), trade_id: '7', conditions: ['@', 'T'] },
      correction,
      cancel,
      { kind: 'band', symbol: 'AAPL', limit_down: 95, limit_up: 105, timestamp: AT },
      {
        kind: 'status',
        symbol: 'AAPL',
        code: 'P',
        reason: ['LUDP', 'Volatility Trading Pause'],
        timestamp: AT,
      },
    );
  }
  while (received.length < 5)
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  expect(received).toMatchObject([
    { symbol: 'AAPL', id: 7, price: 100, conditions: ['@', 'T'] },
    {
      originalId: 7,
      originalPrice: 100,
      originalSize: 10,
      correctedId: 8,
      correctedPrice: 90,
      correctedSize: 5,
      correctedConditions: ['@', 'I'],
    },
    { symbol: 'AAPL', id: 7, price: 100, size: 10, action: 'E' },
    { symbol: 'AAPL', limitUpPrice: 105, limitDownPrice: 95, indicator: 'B' },
    { symbol: 'AAPL', statusCode: 'P', reasonCode: 'LUDP' },
  ]);
});

it.each([true, false])(
  'sends the last trades again to a new connection; with identifiers: %s',
  async (tradeIds) => {
    const { broker, url, source } = await startBroker({ resentTrades: 2, tradeIds });
    {
      using first = await RawClient.authenticated(url);
      await first.request({ action: 'subscribe', trades: ['*'] });
      source.push(trade(1), trade(2), trade(3, 'MSFT'));
      await first.next();
      broker.faults.drop();
    }
    using second = await RawClient.authenticated(url);
    await second.request({ action: 'subscribe', trades: ['*'] });
    const ids = tradeIds ? [{ i: 2 }, { i: 3 }] : [{}, {}];
    const [two, three] = (await second.next()) as object[];
    expect([two, three]).toMatchObject([
      { S: 'AAPL', p: 2, ...ids[0] },
      { S: 'MSFT', p: 3, ...ids[1] },
    ]);
    expect(Object.hasOwn(two as object, 'i')).toBe(tradeIds);
    // Only after the first subscription of a connection.
    await second.request({ action: 'subscribe', trades: ['AAPL'] });
    source.push(trade(4));
    expect(await second.next()).toMatchObject([{ p: 4 }]);
  },
);

it('generates the same rare events from the same seed, all kinds of them', () => {
  const symbols = ['AAPL', 'MSFT'];
  const generate = (seed: number) => {
    const next = withIncidents(createRandomWalk(symbols, seed), seed);
    return Array.from({ length: 5_000 }, (_, n) => next(AT + n)).flat();
  };
  const events = generate(7);
  expect(generate(7)).toEqual(events);
  expect(generate(8)).not.toEqual(events);
  const kinds = new Set(events.map((event) => (event.kind === 'status' ? event.code : event.kind)));
  expect(kinds).toEqual(new Set(['trade', 'quote', 'correction', 'cancel', 'band', 'P', 'T']));
  const conditions = events.flatMap((event) => (event.kind === 'trade' ? (event.conditions ?? []) : []));
  expect(new Set(conditions)).toEqual(new Set(['@', 'F', 'I', 'T', 'Z', '4', 'W', 'M', 'Q']));
  const sides = events.flatMap((event) =>
    event.kind === 'quote' ? [`${event.bid === 0 ? '' : 'bid'}${event.ask === 0 ? '' : 'ask'}`] : [],
  );
  expect(new Set(sides)).toEqual(new Set(['bidask', 'bid', 'ask', '']));
});

it('changes only trades that it has generated, each once', () => {
  const next = withIncidents(createRandomWalk(['AAPL'], 3), 3);
  const open = new Set<string>();
  let changes = 0;
  for (let n = 0; n < 5_000; n++)
    for (const event of next(AT + n)) {
      if (event.kind === 'trade') open.add(String(event.trade_id));
      if (event.kind !== 'correction' && event.kind !== 'cancel') continue;
      expect(open.delete(String(event.original.trade_id))).toBe(true);
      changes++;
    }
  expect(changes).toBeGreaterThan(20);
});

// The example mappings: Coinbase on a recorded session, and the simulated broker.

import { fileURLToPath } from 'node:url';
import { type MarketEvent, readCapture, toMarketEvents } from '@tickbus/capture';
import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadMapping } from '../../feeds/mapping-module.ts';
import { AT, ManualMarket, quote, trade } from '../gateway.fixture.ts';
import { coinbaseProtocol } from '../replay/coinbase-protocol.fixture.ts';
import { COINBASE_CAPTURE, SKIP_REASON } from '../replay/recorded-sessions.fixture.ts';
import { observe, startServer } from './websocket-feed.fixture.ts';

const COINBASE_EXAMPLE = fileURLToPath(new URL('../../../../examples/coinbase-mapping.mjs', import.meta.url));
const BROKER_EXAMPLE = fileURLToPath(
  new URL('../../../../examples/simulated-broker-mapping.mjs', import.meta.url),
);
const PRODUCTS = ['BAND-BTC', 'BAND-GBP', 'CRV-EUR', 'DASH-BTC', 'NMR-EUR', 'NU-GBP', 'SKL-BTC', 'SKL-GBP'];

describe('with the example mapping for Coinbase', () => {
  async function connect(symbols: readonly string[]) {
    const server = await startServer(coinbaseProtocol(PRODUCTS));
    const observed = observe({ url: server.url, mapping: await loadMapping(COINBASE_EXAMPLE) }, symbols);
    return { server, observed };
  }

  it('reports every trade and quote of a recorded session', async ({ skip }) => {
    skip(SKIP_REASON !== undefined, SKIP_REASON);
    const requested = PRODUCTS.slice(0, 6);
    const expected: MarketEvent[] = [];
    for await (const record of readCapture(COINBASE_CAPTURE))
      expected.push(...toMarketEvents(record).filter(({ symbol }) => requested.includes(symbol)));
    const { server, observed } = await connect(requested);
    await observed.subscribed.until((symbols) => symbols.length === requested.length);
    await server.play(COINBASE_CAPTURE);
    await vi.waitFor(() => expect(observed.events.all.length).toBe(expected.length), 10_000);
    expect(expected.length).toBeGreaterThan(50);
    expect(observed.events.all).toEqual(expected);
    expect(observed.invalid.all).toEqual([]);
    expect(observed.feed.venue).toBe('coinbase');
  });

  it('reports an unknown instrument as refused, and serves the others', async () => {
    const { observed } = await connect(['BAND-GBP', 'NO-SUCH', 'SKL-BTC']);
    await observed.subscribed.until((symbols) => symbols.length === 2);
    expect(observed.refusals.all).toEqual([
      {
        symbol: 'NO-SUCH',
        code: undefined,
        isUnknown: true,
        reason: 'Coinbase: NO-SUCH is not a valid product.',
      },
    ]);
    expect(observed.states.all.at(-1)).toEqual({ type: 'live' });
  });

  it('changes the instruments on the same connection', async () => {
    const { server, observed } = await connect(['BAND-GBP', 'SKL-BTC']);
    await observed.subscribed.until((symbols) => symbols.length === 2);
    observed.feed.setSymbols(['SKL-BTC', 'NU-GBP']);
    await observed.subscribed.until((symbols) => symbols.includes('NU-GBP'));
    expect(server.subscribed).toEqual([
      'matches:NU-GBP',
      'matches:SKL-BTC',
      'ticker:NU-GBP',
      'ticker:SKL-BTC',
    ]);
    expect(server.accepted).toBe(1);
  });
});

describe('with the example mapping for the simulated broker', () => {
  it('logs in, and reports trades and quotes of requested symbols', async () => {
    const market = new ManualMarket();
    const broker = await startSimulatedBroker({ source: market });
    onTestFinished(() => broker.close());
    const observed = observe({ url: broker.url, mapping: await loadMapping(BROKER_EXAMPLE) }, ['AAPL']);
    await observed.subscribed.until((symbols) => symbols.includes('AAPL'));
    market.push(quote(100, 101), trade(7, 'MSFT'), trade(100.5));
    await observed.events.until(({ kind }) => kind === 'trade');
    expect(observed.events.all).toEqual([
      quote(100, 101),
      { ...trade(100.5), trade_id: '2', conditions: ['@'] },
    ]);
    const change = { symbol: 'AAPL', original: { trade_id: '2', price: 100.5, size: 10 }, timestamp: AT };
    const corrected = { trade_id: '3', price: 90, size: 5, conditions: ['@'] };
    market.push({ ...change, kind: 'correction', corrected }, { ...change, kind: 'cancel', reason: 'error' });
    await observed.changes.until(({ kind }) => kind === 'cancel');
    expect(observed.changes.all).toEqual([
      { ...change, kind: 'correction', corrected },
      { ...change, kind: 'cancel', reason: 'error' },
    ]);
    expect(observed.invalid.all).toEqual([]);
  });

  it('stays down after a wrong key, and retries while another client holds the connection', async () => {
    const broker = await startSimulatedBroker({ source: new ManualMarket() });
    onTestFinished(() => broker.close());
    const mapping = await loadMapping(BROKER_EXAMPLE);
    const open = () => ({ action: 'auth', key: 'local-key', secret: 'wrong' });
    const wrong = observe({ url: broker.url, mapping: { ...mapping, open } }, ['AAPL']);
    expect(await wrong.state('down')).toMatchObject({ code: 402, retryable: false });
    const first = observe({ url: broker.url, mapping }, ['AAPL']);
    await first.subscribed.until(() => true);
    const second = observe({ url: broker.url, mapping }, ['AAPL']);
    expect(await second.state('down')).toMatchObject({ code: 406, retryable: true });
    await first.feed.close();
    await second.subscribed.until(() => true);
  });
});

// The ccxt feed on real frames: ccxt's own binanceusdm against a replay of a recorded session in the venue's protocol.

import type { ServerResponse } from 'node:http';
import { type MarketEvent, readCapture, toMarketEvents } from '@tickbus/capture';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { type CcxtFeedOptions, ccxt, createCcxtFeed } from '../../feeds/ccxt-feed.ts';
import { type BinanceOptions, binanceProtocol } from '../replay/binance-protocol.fixture.ts';
import { BINANCE_CAPTURE, SKIP_REASON } from '../replay/recorded-sessions.fixture.ts';
import { ReplayServer } from '../replay/replay-server.fixture.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';

const SYMBOLS = ['SUSHI/USDT:USDT', 'AKRO/USDT:USDT', 'KEEP/USDT:USDT', 'CTK/USDT:USDT'];
const cleanUps: (() => Promise<unknown>)[] = [];

beforeEach(({ skip }) => skip(SKIP_REASON !== undefined, SKIP_REASON));

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startServer(options?: BinanceOptions): Promise<ReplayServer> {
  const server = await ReplayServer.start(await binanceProtocol(options));
  cleanUps.push(() => server.close());
  return server;
}

async function observe(
  server: ReplayServer,
  symbols: readonly string[],
  options: Partial<CcxtFeedOptions> = {},
): Promise<ObservedFeed> {
  const url = `http://127.0.0.1:${server.port}`;
  const observed = new ObservedFeed(
    await createCcxtFeed({ exchange: 'binanceusdm', url, ...options }),
    symbols,
  );
  cleanUps.push(() => observed.feed.close());
  return observed;
}

/** The session's events of one kind, with ccxt's symbols. */
async function recorded(kind: MarketEvent['kind']): Promise<MarketEvent[]> {
  const events: MarketEvent[] = [];
  for await (const record of readCapture(BINANCE_CAPTURE)) events.push(...toMarketEvents(record));
  return events
    .filter((event) => event.kind === kind)
    .map((event) => ({ ...event, symbol: event.symbol.replace('USDT', '/USDT:USDT') }));
}

/** The last event of each symbol, without the time: a frame has two timestamps, and ccxt reads the other. */
function newest(events: readonly MarketEvent[]): Record<string, object> {
  return Object.fromEntries(events.map(({ timestamp, ...event }) => [event.symbol, event]));
}

it.for([
  ['at a pace', 200],
  ['in one burst', Number.POSITIVE_INFINITY],
] as const)('reports the newest quote of every instrument of a recorded session %s', async ([, speed]) => {
  const quotes = (await recorded('quote')).filter(({ symbol }) => SYMBOLS.includes(symbol));
  const server = await startServer();
  const observed = await observe(server, SYMBOLS);
  await vi.waitFor(() => expect(server.subscribed).toHaveLength(SYMBOLS.length), 10_000);
  await server.play(BINANCE_CAPTURE, { speed });
  await vi.waitFor(() => expect(newest(observed.events.all)).toEqual(newest(quotes)), 10_000);
  // The server sends subscribed streams only, and the feed reports only quotes of the session.
  expect(server.subscribed).toEqual(
    SYMBOLS.map(idOf)
      .map((id) => `${id}@bookTicker`)
      .sort(),
  );
  const known = new Set(quotes.map(({ timestamp, ...quote }) => JSON.stringify(quote)));
  for (const { timestamp, ...event } of observed.events.all) expect(known).toContain(JSON.stringify(event));
  expect(observed.events.all.length).toBeLessThanOrEqual(quotes.length);
  expect(observed.states.all).toEqual([{ type: 'connecting' }, { type: 'live' }]);
  expect(new Set(observed.subscribed.all.at(-1))).toEqual(new Set(Object.keys(newest(quotes))));
  const raw = observed.raw.all.flatMap(({ json }) => JSON.parse(json).events);
  expect(raw).toEqual(observed.events.all);
});

it('reports every trade of a recorded session', async () => {
  const trades = (await recorded('trade')).filter(({ symbol }) => SYMBOLS.includes(symbol));
  const server = await startServer();
  const config = { options: { watchTradesForSymbols: { name: 'aggTrade' } } };
  const observed = await observe(server, SYMBOLS, { method: 'watchTrades', config });
  await vi.waitFor(() => expect(server.subscribed).toHaveLength(SYMBOLS.length), 10_000);
  await server.play(BINANCE_CAPTURE);
  await vi.waitFor(() => expect(observed.events.all.length).toBe(trades.length), 10_000);
  const bySymbol = (events: readonly MarketEvent[]) =>
    SYMBOLS.map((one) => events.filter(({ symbol }) => symbol === one));
  expect(bySymbol(observed.events.all)).toEqual(bySymbol(trades));
  expect(trades.length).toBeGreaterThan(50);
});

it('refuses unknown symbols, and serves the rest', async () => {
  const server = await startServer();
  const observed = await observe(server, ['SUSHI/USDT:USDT', 'NO/SUCH', '*']);
  await vi.waitFor(() => expect(server.subscribed).toEqual(['sushiusdt@bookTicker']), 10_000);
  expect(observed.refusals.all).toEqual([
    expect.objectContaining({ symbol: 'NO/SUCH', code: 'BadSymbol', isUnknown: true }),
    expect.objectContaining({ symbol: '*', isUnknown: false }),
  ]);
  await server.play(BINANCE_CAPTURE);
  await observed.events.until(({ symbol }) => symbol === 'SUSHI/USDT:USDT');
});

it('finds the one instrument that the venue rejects', async () => {
  const server = await startServer({
    objection: (streams) =>
      streams.includes('keepusdt@bookTicker') ? { code: -1121, msg: 'Invalid symbol.' } : undefined,
  });
  const observed = await observe(server, SYMBOLS);
  await observed.refusals.until(() => true);
  expect(observed.refusals.all).toMatchObject([
    { symbol: 'KEEP/USDT:USDT', code: 'BadSymbol', isUnknown: true },
  ]);
  await vi.waitFor(() => expect(server.subscribed).toHaveLength(3), 10_000);
  expect(observed.states.all.at(-1)).toEqual({ type: 'live' });
});

it('changes the instruments on a new connection, with permission', async () => {
  const server = await startServer();
  const observed = await observe(server, []);
  await observed.state('live');
  expect(server.accepted).toBe(0);
  observed.feed.setSymbols(SYMBOLS.slice(0, 1));
  await vi.waitFor(() => expect(server.subscribed).toEqual(['sushiusdt@bookTicker']), 10_000);
  observed.feed.setSymbols(SYMBOLS.slice(0, 2));
  await vi.waitFor(() => expect(server.subscribed).toHaveLength(2), 10_000);
  expect(server.connections).toBe(2);
  await server.play(BINANCE_CAPTURE);
  await vi.waitFor(() => expect(server.connections).toBe(1), 10_000);
  await observed.subscribed.until((symbols) => symbols.length === 2);
  expect(observed.attempts.all).toEqual([
    { failures: 0, after: undefined },
    { failures: 0, after: undefined, isExtra: true },
    { failures: 0, after: undefined, isExtra: true },
  ]);
  observed.feed.setSymbols([]);
  await vi.waitFor(() => expect(server.connections).toBe(0), 10_000);
  expect(observed.states.all).toHaveLength(2);
});

it('reconnects after a drop, with permission, and reuses the market list', async () => {
  let restRequests = 0;
  const server = await startServer({
    refuse: () => {
      restRequests++;
      return false;
    },
  });
  const observed = await observe(server, SYMBOLS);
  await vi.waitFor(() => expect(server.subscribed).toHaveLength(SYMBOLS.length), 10_000);
  server.drop();
  const down = await observed.state('down');
  expect(down).toMatchObject({ code: 'NetworkError', retryable: true });
  await observed.state('live', observed.states.all.length);
  await vi.waitFor(() => expect(server.subscribed).toHaveLength(SYMBOLS.length), 10_000);
  expect(observed.attempts.all).toEqual([
    { failures: 0, after: undefined },
    { failures: 1, after: down },
  ]);
  expect(restRequests).toBe(1);
});

it.for([
  [429, '{"code":-1003,"msg":"Too many requests."}', 'DDoSProtection', true],
  [
    401,
    '{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}',
    'AuthenticationError',
    false,
  ],
  [503, '{}', 'ExchangeNotAvailable', true],
] as const)('maps HTTP status %i to its error', async ([status, body, code, retryable]) => {
  const refuse = (response: ServerResponse): boolean => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
    return true;
  };
  const observed = await observe(await startServer({ refuse }), SYMBOLS);
  observed.allowConnection = () => new Promise(() => {});
  expect(await observed.state('down')).toMatchObject({ code, retryable });
});

it('reports an unreachable venue, without the query string', async () => {
  const server = await startServer();
  await server.close();
  const observed = await observe(server, SYMBOLS);
  observed.allowConnection = () => new Promise(() => {});
  const { retryable, reason } = await observed.state('down');
  expect(retryable).toBe(true);
  expect(reason).toContain('/fapi/v1/exchangeInfo');
});

it('has released the venue when closed, and reports nothing more', async () => {
  const server = await startServer();
  const observed = await observe(server, SYMBOLS);
  await vi.waitFor(() => expect(server.subscribed).toHaveLength(SYMBOLS.length), 10_000);
  const closed = observed.feed.close();
  const played = server.play(BINANCE_CAPTURE);
  await closed;
  await played;
  expect(observed.events.all).toEqual([]);
  expect(observed.states.all.at(-1)).toEqual({ type: 'stopped' });
  await vi.waitFor(() => expect(server.connections).toBe(0), 10_000);
  const early = await observe(server, SYMBOLS);
  await early.feed.close(0);
  expect(early.states.all.at(-1)).toEqual({ type: 'stopped' });
});

it.for([
  [
    { exchange: 'nosuchvenue' },
    /^ccxt has no live data for the venue nosuchvenue\. Venues with the same first letter: /,
  ],
  [{ exchange: 'kucoin', method: 'watchBidsAsks' as const, config: {} }, undefined],
  [{ exchange: 'kraken', sandbox: true }, /^kraken has no sandbox in ccxt\. Remove CCXT_SANDBOX\.$/],
  [{ exchange: 'binanceusdm', sandbox: true }, undefined],
  [
    { exchange: 'alpaca', method: 'watchBidsAsks' as const },
    /^alpaca does not support watchBidsAsks\. It supports watchTrades\.$/,
  ],
] as const)(
  'rejects at creation if ccxt lacks the venue, method or sandbox: %j',
  async ([options, message]) => {
    const made = createCcxtFeed(options);
    if (message === undefined) expect(await made).toMatchObject({ name: 'ccxt', venue: options.exchange });
    else await expect(made).rejects.toThrow(message);
  },
);

it('parses its settings, and never repeats a value that can contain a key', () => {
  const settings = z.object(ccxt.settings);
  const read = (CCXT_CONFIG: string) =>
    settings.safeParse({ CCXT_EXCHANGE: 'kraken', CCXT_METHOD: 'watchTrades', CCXT_CONFIG });
  expect(read('{"apiKey":"k"}').data).toMatchObject({
    CCXT_METHOD: 'watchTrades',
    CCXT_CONFIG: { apiKey: 'k' },
    CCXT_SANDBOX: false,
  });
  expect(read('{"apiKey":"hush"').error?.message).toContain('a JSON object');
  expect(read('{"apiKey":"hush"').error?.message).not.toContain('hush');
});

function idOf(symbol: string): string {
  return symbol.split(':')[0]?.replace('/', '').toLowerCase() ?? '';
}

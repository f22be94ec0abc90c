// The WebSocket feed with mappings: the example for Coinbase on a recorded session, and mappings that fail.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type MarketEvent, readCapture, toMarketEvents } from '@tickbus/capture';
import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadMapping } from '../../feeds/mapping-module.ts';
import { createWebSocketFeed, type WebSocketFeedOptions, websocket } from '../../feeds/websocket-feed.ts';
import type { FrameItem, Mapping } from '../../mapping.ts';
import { AT, ManualMarket, quote, trade } from '../gateway.fixture.ts';
import { coinbaseProtocol } from '../replay/coinbase-protocol.fixture.ts';
import { COINBASE_CAPTURE, SKIP_REASON } from '../replay/recorded-sessions.fixture.ts';
import { ReplayServer, type VenueProtocol } from '../replay/replay-server.fixture.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';

const EXAMPLE = fileURLToPath(new URL('../../../../examples/coinbase-mapping.mjs', import.meta.url));
const BROKER_EXAMPLE = fileURLToPath(
  new URL('../../../../examples/simulated-broker-mapping.mjs', import.meta.url),
);
const PRODUCTS = ['BAND-BTC', 'BAND-GBP', 'CRV-EUR', 'DASH-BTC', 'NMR-EUR', 'NU-GBP', 'SKL-BTC', 'SKL-GBP'];

const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startServer(protocol: VenueProtocol): Promise<ReplayServer> {
  const server = await ReplayServer.start(protocol);
  cleanUps.push(() => server.close());
  return server;
}

/** The path of a module of the user's. */
async function writtenModule(source: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tickbus-mapping-'));
  cleanUps.push(() => rm(folder, { recursive: true }));
  const path = join(folder, 'mapping.mjs');
  await writeFile(path, source);
  return path;
}

function watch(options: WebSocketFeedOptions, symbols: readonly string[]): ObservedFeed {
  const watched = new ObservedFeed(createWebSocketFeed(options), symbols);
  cleanUps.push(() => watched.feed.close());
  return watched;
}

describe('with the example mapping for Coinbase', () => {
  async function connect(symbols: readonly string[]) {
    const server = await startServer(coinbaseProtocol(PRODUCTS));
    const watched = watch({ url: server.url, mapping: await loadMapping(EXAMPLE) }, symbols);
    return { server, watched };
  }

  it('tells every trade and quote of a recorded session', async ({ skip }) => {
    skip(SKIP_REASON !== undefined, SKIP_REASON);
    const wanted = PRODUCTS.slice(0, 6);
    const expected: MarketEvent[] = [];
    for await (const record of readCapture(COINBASE_CAPTURE))
      expected.push(...toMarketEvents(record).filter(({ symbol }) => wanted.includes(symbol)));
    const { server, watched } = await connect(wanted);
    await watched.subscribed.until((symbols) => symbols.length === wanted.length);
    await server.play(COINBASE_CAPTURE);
    await vi.waitFor(() => expect(watched.events.all.length).toBe(expected.length), 10_000);
    expect(expected.length).toBeGreaterThan(50);
    expect(watched.events.all).toEqual(expected);
    expect(watched.invalid.all).toEqual([]);
    expect(watched.feed.venue).toBe('coinbase');
  });

  it('tells an unknown instrument as refused, and goes on with the others', async () => {
    const { watched } = await connect(['BAND-GBP', 'NO-SUCH', 'SKL-BTC']);
    await watched.subscribed.until((symbols) => symbols.length === 2);
    expect(watched.refusals.all).toEqual([
      {
        symbol: 'NO-SUCH',
        code: undefined,
        isUnknown: true,
        reason: 'Coinbase: NO-SUCH is not a valid product.',
      },
    ]);
    expect(watched.states.all.at(-1)).toEqual({ type: 'live' });
  });

  it('changes the instruments on the same connection', async () => {
    const { server, watched } = await connect(['BAND-GBP', 'SKL-BTC']);
    await watched.subscribed.until((symbols) => symbols.length === 2);
    watched.feed.setSymbols(['SKL-BTC', 'NU-GBP']);
    await watched.subscribed.until((symbols) => symbols.includes('NU-GBP'));
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
  it('logs in, and tells trades and quotes of what is wanted', async () => {
    const market = new ManualMarket();
    const broker = await startSimulatedBroker({ source: market });
    cleanUps.push(() => broker.close());
    const watched = watch({ url: broker.url, mapping: await loadMapping(BROKER_EXAMPLE) }, ['AAPL']);
    await watched.subscribed.until((symbols) => symbols.includes('AAPL'));
    market.push(quote(100, 101), trade(7, 'MSFT'), trade(100.5));
    await watched.events.until(({ kind }) => kind === 'trade');
    expect(watched.events.all).toEqual([quote(100, 101), trade(100.5)]);
  });

  it('stays down after a wrong key, and comes back when another has the connection', async () => {
    const broker = await startSimulatedBroker({ source: new ManualMarket() });
    cleanUps.push(() => broker.close());
    const mapping = await loadMapping(BROKER_EXAMPLE);
    const open = () => ({ action: 'auth', key: 'local-key', secret: 'wrong' });
    const wrong = watch({ url: broker.url, mapping: { ...mapping, open } }, ['AAPL']);
    expect(await wrong.state('down')).toMatchObject({ code: 402, retryable: false });
    const first = watch({ url: broker.url, mapping }, ['AAPL']);
    await first.subscribed.until(() => true);
    const second = watch({ url: broker.url, mapping }, ['AAPL']);
    expect(await second.state('down')).toMatchObject({ code: 406, retryable: true });
    await first.feed.close();
    await second.subscribed.until(() => true);
  });
});

/** A venue that takes any message and says what the test says. */
const ANY: VenueProtocol = { answer: () => [], topicOf: () => undefined };

/** A mapping whose frames are items as they are. */
const PLAIN: Mapping = {
  read: (frame) => frame as FrameItem[],
  subscribe: (symbols) => ({ subscribe: symbols }),
  unsubscribe: (symbols) => [{ unsubscribe: symbols }, 'bye'],
};

describe('with other mappings', () => {
  async function live(mapping: Mapping, options: Partial<WebSocketFeedOptions> = {}) {
    const server = await startServer(ANY);
    const watched = watch({ url: server.url, mapping, ...options }, ['AAPL']);
    await watched.state('live');
    return { server, watched };
  }

  it('passes over what it cannot read and counts it, and tells nothing that is not wanted', async () => {
    const { server, watched } = await live({
      ...PLAIN,
      read(frame) {
        if (frame === 'fail') throw new Error('no such field');
        return frame as FrameItem[];
      },
    });
    for (const text of ['"fail"', 'not json', '[{"kind":"bar"}]', '[null]', '{}']) server.broadcast(text);
    server.broadcast(JSON.stringify([trade(1, 'MSFT'), trade(2)]));
    server.broadcast('[]');
    await watched.events.until(() => true);
    expect(watched.events.all).toEqual([trade(2)]);
    expect(watched.invalid.all).toEqual([
      'The mapping cannot parse a frame: no such field',
      'The frame is not JSON: not json',
      'The mapping cannot parse a frame: {"kind":"bar"} is not an item.',
      expect.stringContaining('The mapping cannot parse a frame: '),
      'The mapping cannot parse a frame: {} is not an item.',
    ]);
    expect(watched.states.all).toHaveLength(2);
  });

  it('sends what opens, subscribes and unsubscribes, and tells it raw', async () => {
    const { server, watched } = await live({ ...PLAIN, open: () => ({ login: 'me' }) });
    watched.feed.setSymbols(['MSFT']);
    await server.received.until((message) => JSON.stringify(message) === '{"subscribe":["MSFT"]}');
    expect(watched.raw.all.map(({ dir, json }) => [dir, json])).toEqual([
      ['out', '{"login":"me"}'],
      ['out', '{"subscribe":["AAPL"]}'],
      ['out', '{"unsubscribe":["AAPL"]}'],
      ['out', '"bye"'],
      ['out', '{"subscribe":["MSFT"]}'],
    ]);
    expect(watched.subscribed.all).toEqual([['AAPL'], ['MSFT']]);
  });

  it('makes the connection anew after an error that the mapping tells, unless it says that this is no use', async () => {
    const { server, watched } = await live(PLAIN);
    server.broadcast(JSON.stringify({ kind: 'error', code: 'E1', reason: 'Too slow.' }));
    await watched.state('live', 2);
    server.broadcast(JSON.stringify({ kind: 'error', reason: 'No such key.', retryable: false }));
    await watched.states.until((state) => state.type === 'down' && !state.retryable);
    expect(watched.states.all.filter(({ type }) => type === 'down')).toEqual([
      { type: 'down', code: 'E1', reason: 'Too slow.', retryable: true },
      { type: 'down', code: undefined, reason: 'No such key.', retryable: false },
    ]);
    await vi.waitFor(() => expect(server.connections).toBe(0), 10_000);
  });

  it.each([
    ['open', () => ({ ...PLAIN, open: fail })],
    ['subscribe', () => ({ ...PLAIN, subscribe: fail })],
  ] as const)('is down for good when the %s of the mapping throws', async (name, mapping) => {
    const server = await startServer(ANY);
    const watched = watch({ url: server.url, mapping: mapping() }, ['AAPL']);
    expect(await watched.state('down')).toEqual({
      type: 'down',
      code: undefined,
      reason: `The function ${name} of the mapping failed: oops. Correct it, then restart the gateway.`,
      retryable: false,
    });
    expect(server.accepted).toBe(1);
  });

  it('comes back after a drop and a close, and says which', async () => {
    const { server, watched } = await live(PLAIN);
    server.disconnect(1008, 'go away');
    await watched.state('live', 2);
    server.drop();
    await watched.state('live', 5);
    expect(watched.states.all.filter(({ type }) => type === 'down')).toMatchObject([
      { code: 1008, reason: 'The server closed the connection (1008, go away).', retryable: true },
      { code: 1006, retryable: true },
    ]);
  });

  it('notices a server that answers no ping, whichever way it pings', async () => {
    const { server, watched } = await live(PLAIN, { pingMs: 30 });
    server.freeze();
    expect((await watched.state('down')).reason).toBe('The server did not answer a ping within 30 ms.');
    const own = await live({ ...PLAIN, ping: () => 'ping' }, { pingMs: 30 });
    expect((await own.watched.state('down')).reason).toContain('did not answer a ping');
    expect(own.watched.raw.all.map(({ json }) => json)).toContain('"ping"');
  });

  it.each([
    [401, false],
    [503, true],
  ])('tells that the handshake was answered with %i', async (status, retryable) => {
    const http = createServer().on('upgrade', (_request, socket) =>
      socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`),
    );
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => new Promise((resolve) => http.close(resolve)));
    const watched = watch({ url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`, mapping: PLAIN }, [
      'AAPL',
    ]);
    expect(await watched.state('down')).toMatchObject({ code: status, retryable });
    await watched.feed.close();
  });

  it('tells that nobody is there', async () => {
    const watched = watch({ url: 'ws://127.0.0.1:1', mapping: PLAIN }, ['AAPL']);
    expect((await watched.state('down')).reason).toMatch(/^The connection failed: .*ECONNREFUSED/);
  });

  it('says nothing once it is being closed', async () => {
    const { server, watched } = await live(PLAIN);
    const closed = watched.feed.close();
    server.broadcast(JSON.stringify(trade(1)));
    await closed;
    expect(watched.events.all).toEqual([]);
    expect(watched.states.all.at(-1)).toEqual({ type: 'stopped' });
    await vi.waitFor(() => expect(server.connections).toBe(0), 10_000);
  });
});

function fail(): never {
  throw new Error('oops');
}

it('takes a promise of a mapping for a mistake, and a failed one does not end the gateway', async () => {
  const source = `export async function read() { throw new Error('later'); }
    export const open = read, subscribe = read, unsubscribe = read, ping = read;`;
  const mapping = await loadMapping(await writtenModule(source));
  const failures = vi.fn();
  process.on('unhandledRejection', failures);
  cleanUps.push(async () => process.off('unhandledRejection', failures));
  const calls = [mapping.read, mapping.open, mapping.subscribe, mapping.unsubscribe, mapping.ping];
  for (const call of calls as ((asked: unknown) => unknown)[])
    expect(() => call(['AAPL'])).toThrow(
      /^\w+ returned a promise, but must return its result synchronously\.$/,
    );
  await new Promise(setImmediate);
  expect(failures).not.toHaveBeenCalled();
});

it.each([
  ['no-such.mjs', /^Cannot load the mapping no-such\.mjs: /],
  [
    fileURLToPath(new URL('../gateway.fixture.ts', import.meta.url)),
    /must export a function read\(frame\)\.$/,
  ],
])('says what is wrong with the mapping %s', async (WEBSOCKET_MAPPING, message) => {
  const made = websocket.create({
    WEBSOCKET_URL: 'ws://127.0.0.1:1',
    WEBSOCKET_MAPPING,
    WEBSOCKET_PING_MS: 0,
  });
  await expect(made).rejects.toThrow(message);
});

it('leaves the numbers as the mapping gives them', async () => {
  const server = await startServer(ANY);
  const watched = watch({ url: server.url, mapping: PLAIN }, ['*']);
  await watched.state('live');
  server.broadcast(JSON.stringify({ kind: 'trade', symbol: 'X', price: 'n/a', size: null, timestamp: AT }));
  await watched.events.until(() => true);
  expect(watched.events.all).toEqual([
    { kind: 'trade', symbol: 'X', price: 'n/a', size: null, timestamp: AT },
  ]);
});

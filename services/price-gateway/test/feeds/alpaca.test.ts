// The Alpaca feed against the simulated broker: refusals, takeover, drops, silence, garbage, a clean end.

import { createServer } from 'node:net';
import type { MarketEvent } from '@tickbus/capture';
import {
  type SimulatedBroker,
  type SimulatedBrokerOptions,
  startSimulatedBroker,
} from '@tickbus/simulated-broker/broker';
import { afterEach, expect, it, vi } from 'vitest';
import { type AlpacaFeedOptions, createAlpacaFeed } from '../../feeds/alpaca.ts';
import type { Feed, FeedState } from '../../feeds/feed.ts';
import { AT, CREDENTIALS, Heard, ManualMarket, quote, trade } from '../parts.ts';

const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startBroker(options: SimulatedBrokerOptions = {}) {
  const market = new ManualMarket();
  const broker = await startSimulatedBroker({ source: market, ...options });
  cleanUps.push(() => broker.close());
  return { broker, market };
}

class Watched {
  readonly states = new Heard<FeedState>();
  readonly events = new Heard<MarketEvent>();
  readonly invalid = new Heard<string>();
  frames = 0;
  readonly feed: Feed;

  constructor(url: string, options: Partial<AlpacaFeedOptions> = {}) {
    this.feed = createAlpacaFeed({
      url,
      ...CREDENTIALS,
      symbols: ['AAPL', 'MSFT'],
      retryMs: 20,
      maxRetryMs: 50,
      ...options,
    });
    cleanUps.push(() => this.feed.close());
    this.feed.start({
      onFrame: (events) => {
        this.frames++;
        for (const event of events) this.events.add(event);
      },
      onInvalidFrame: this.invalid.add,
      onState: this.states.add,
    });
  }

  async state<T extends FeedState['type']>(type: T, from = 0): Promise<Extract<FeedState, { type: T }>> {
    return (await this.states.until((state) => state.type === type, from)) as Extract<FeedState, { type: T }>;
  }
}

async function live(broker: SimulatedBroker, options?: Partial<AlpacaFeedOptions>): Promise<Watched> {
  const watched = new Watched(broker.url, options);
  await watched.state('live');
  return watched;
}

it('tells trades and quotes with times in milliseconds, and nothing on stdout', async () => {
  const stdout = vi.spyOn(process.stdout, 'write');
  const { broker, market } = await startBroker();
  const watched = await live(broker);
  market.push(quote(100, 101), trade(100.5));
  await watched.events.until(({ kind }) => kind === 'trade');
  expect(watched.events.all).toEqual([
    { kind: 'quote', symbol: 'AAPL', bid: 100, bid_size: 2, ask: 101, ask_size: 3, timestamp: AT },
    { kind: 'trade', symbol: 'AAPL', price: 100.5, size: 10, timestamp: AT },
  ]);
  expect(watched.states.all).toEqual([{ type: 'connecting' }, { type: 'live' }]);
  expect(watched.feed).toMatchObject({ name: 'alpaca', venue: 'iex' });
  expect(stdout).not.toHaveBeenCalled();
  stdout.mockRestore();
});

it('is refused with 406 while another holds the connection, backs off, and takes over when it leaves', async () => {
  const { broker, market } = await startBroker();
  const holder = await live(broker);
  const second = new Watched(broker.url);
  const down = await second.state('down');
  expect(down).toMatchObject({ code: 406, retryInMs: 20 });
  expect(down.reason).toContain('Another program holds the one connection');
  await vi.waitFor(() => expect(second.states.all.length).toBeGreaterThanOrEqual(6), 10_000);
  const delays = second.states.all.flatMap((state) => (state.type === 'down' ? [state.retryInMs] : []));
  expect(delays.slice(0, 3)).toEqual([20, 40, 50]);
  await holder.feed.close();
  await second.state('live');
  market.push(trade(7));
  await second.events.until(() => true);
  expect(broker.stats.maxConcurrent).toBe(1);
});

it.each([
  [402, {}, { secret: 'wrong' }, 'Check the key and the secret'],
  [405, { symbolLimit: 3 }, {}, 'Ask for fewer symbols'],
  [409, { feeds: ['sip'] }, {}, 'does not include this feed'],
])(
  'stays down after %i, lets go of the connection and says what to do',
  async (code, broker, options, advice) => {
    const { broker: started } = await startBroker(broker);
    const watched = new Watched(started.url, options);
    const down = await watched.state('down');
    expect(down).toMatchObject({ code, retryInMs: undefined });
    expect(down.reason).toContain(advice);
    await vi.waitFor(() => expect(started.stats.connections).toBe(0), 10_000);
    expect(watched.states.all).toHaveLength(2);
  },
);

it('tries again after 404', async () => {
  const { broker } = await startBroker();
  broker.faults.failAuthentication(404);
  const watched = new Watched(broker.url);
  expect(await watched.state('down')).toMatchObject({ code: 404, retryInMs: 20 });
  broker.faults.recover();
  await watched.state('live');
});

it.each([
  ['is dropped', (broker: SimulatedBroker) => broker.faults.drop(), undefined],
  ['is closed', (broker: SimulatedBroker) => broker.faults.close(), undefined],
  ['is told that it is too slow', (broker: SimulatedBroker) => broker.faults.sendError(407), 407],
  ['is told of an internal error', (broker: SimulatedBroker) => broker.faults.sendError(500), 500],
])('comes back when it %s', async (_, happen, code) => {
  const { broker, market } = await startBroker();
  const watched = await live(broker);
  happen(broker);
  expect(await watched.state('down')).toMatchObject({ code, retryInMs: 20 });
  await watched.state('live', 3);
  market.push(trade(8));
  await watched.events.until(() => true);
  expect(broker.stats).toMatchObject({ accepted: 2, maxConcurrent: 1 });
});

it('gives up on a broker that says nothing, and tries again', async () => {
  const { broker } = await startBroker();
  broker.faults.mute();
  const watched = new Watched(broker.url, { handshakeTimeoutMs: 100 });
  const { reason, retryInMs } = await watched.state('down');
  expect({ reason, retryInMs }).toEqual({
    reason: 'The broker did not acknowledge the subscription within 100 ms.',
    retryInMs: 20,
  });
  broker.faults.recover();
  await watched.state('live');
});

it('tells that nobody is there, and finds the broker when it comes', async () => {
  const { broker } = await startBroker();
  const { port, url } = broker;
  await broker.close();
  const watched = new Watched(url);
  const { reason } = await watched.state('down');
  expect(reason).toMatch(/^The connection to the broker failed: .*ECONNREFUSED.*\.$/);
  await startBroker({ port });
  await watched.state('live');
});

it('passes over a frame that cannot be read', async () => {
  const { broker, market } = await startBroker();
  const watched = await live(broker);
  broker.faults.sendFrame(new Uint8Array([0xc1, 0xc1]));
  await watched.invalid.until(() => true);
  broker.faults.sendFrame('not msgpack');
  await watched.invalid.until(() => true, 1);
  market.push(trade(9));
  await watched.events.until(() => true);
  expect(watched.states.all.at(-1)).toEqual({ type: 'live' });
});

it('has let go of the connection when it is closed, and says nothing more', async () => {
  const { broker, market } = await startBroker();
  const watched = await live(broker);
  await Promise.all([watched.feed.close(), watched.feed.close()]);
  expect(watched.states.all.at(-1)).toEqual({ type: 'stopped' });
  await vi.waitFor(() => expect(broker.stats.connections).toBe(0), 10_000);
  market.push(trade(1));
  const other = await live(broker);
  market.push(trade(2));
  await other.events.until(() => true);
  expect(watched.events.all).toEqual([]);
  expect(watched.states.all.map(({ type }) => type)).toEqual(['connecting', 'live', 'stopped']);
});

it('closes while it waits for the next try, and while the broker does not answer the handshake', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await vi.waitFor(() => expect(server.listening).toBe(true));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const unanswered = new Watched(`ws://127.0.0.1:${port}/v2/iex`);
  await unanswered.feed.close();
  await new Promise((resolve) => server.close(resolve));
  const waiting = new Watched(`ws://127.0.0.1:${port}/v2/iex`, { retryMs: 60_000 });
  await waiting.state('down');
  await waiting.feed.close();
  expect(unanswered.states.all.map(({ type }) => type)).toEqual(['connecting', 'stopped']);
  expect(waiting.states.all.map(({ type }) => type)).toEqual(['connecting', 'down', 'stopped']);
});

it('needs a symbol and a WebSocket address', () => {
  expect(() => createAlpacaFeed({ ...CREDENTIALS, symbols: [] })).toThrow('needs at least one symbol');
  expect(() => createAlpacaFeed({ ...CREDENTIALS, symbols: ['A'], url: 'https://example.org' })).toThrow(
    'must begin with ws:// or wss://',
  );
});

// The Alpaca feed against the simulated broker: refusals, takeover, drops, silence, garbage, a clean end.

import { once } from 'node:events';
import { createServer } from 'node:net';
import type { SimulatedBroker } from '@tickbus/simulated-broker/broker';
import { expect, it, vi } from 'vitest';
import { createAlpacaFeed } from '../../feeds/alpaca-feed.ts';
import { AT, CREDENTIALS, quote, trade } from '../gateway.fixture.ts';
import { useAlpacaBroker } from './alpaca-broker.fixture.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';

const { startBroker, observe, live } = useAlpacaBroker();

it('reports trades and quotes with times in milliseconds, and writes nothing to stdout', async () => {
  const stdout = vi.spyOn(process.stdout, 'write');
  const { broker, market } = await startBroker();
  const observed = await live(broker);
  market.push(quote(100, 101), trade(100.5));
  await observed.events.until(({ kind }) => kind === 'trade');
  expect(observed.events.all).toEqual([
    { kind: 'quote', symbol: 'AAPL', bid: 100, bid_size: 2, ask: 101, ask_size: 3, timestamp: AT },
    { ...trade(100.5), trade_id: 'V-1', conditions: ['@'] },
  ]);
  expect(observed.states.all).toEqual([{ type: 'connecting' }, { type: 'live' }]);
  expect(observed.feed).toMatchObject({ name: 'alpaca', venue: 'iex' });
  expect(stdout).not.toHaveBeenCalled();
  stdout.mockRestore();
});

it('gets 406 while another client holds the connection, backs off, and connects when that one leaves', async () => {
  const { broker, market } = await startBroker();
  const holder = await live(broker);
  const second = observe(broker.url);
  const down = await second.state('down');
  expect(down).toMatchObject({ code: 406, retryable: true });
  expect(down.reason).toContain('Another program holds the only connection');
  const third = await second.attempts.until(({ failures }) => failures === 2);
  expect(second.attempts.all.slice(0, 2)).toEqual([
    { failures: 0, after: undefined },
    { failures: 1, after: down },
  ]);
  expect(third.after).toMatchObject({ code: 406 });
  await holder.feed.close();
  await second.state('live');
  market.push(trade(7));
  await second.events.until(() => true);
  expect(broker.stats.maxConcurrent).toBe(1);
});

it.each([
  [402, {}, { secret: 'wrong' }, 'Check the key and the secret'],
  [409, { feeds: ['sip'] }, {}, 'does not include this feed'],
])(
  'stays down after %i, closes the connection and explains what to do',
  async (code, broker, options, advice) => {
    const { broker: started } = await startBroker(broker);
    const observed = observe(started.url, options);
    const down = await observed.state('down');
    expect(down).toMatchObject({ code, retryable: false });
    expect(down.reason).toContain(advice);
    await vi.waitFor(() => expect(started.stats.connections).toBe(0), 10_000);
    expect(observed.states.all).toHaveLength(2);
  },
);

it('retries after 404', async () => {
  const { broker } = await startBroker();
  broker.faults.failAuthentication(404);
  const observed = observe(broker.url);
  expect(await observed.state('down')).toMatchObject({ code: 404, retryable: true });
  broker.faults.recover();
  await observed.state('live');
});

it.each([
  ['is dropped', (broker: SimulatedBroker) => broker.faults.drop(), undefined],
  ['is closed', (broker: SimulatedBroker) => broker.faults.close(), undefined],
  ['is rejected as too slow', (broker: SimulatedBroker) => broker.faults.sendError(407), 407],
  ['receives an internal error', (broker: SimulatedBroker) => broker.faults.sendError(500), 500],
])('reconnects when it %s', async (_, happen, code) => {
  const { broker, market } = await startBroker();
  const observed = await live(broker);
  happen(broker);
  expect(await observed.state('down')).toMatchObject({ code, retryable: true });
  await observed.state('live', 3);
  market.push(trade(8));
  await observed.events.until(() => true);
  expect(broker.stats).toMatchObject({ accepted: 2, maxConcurrent: 1 });
});

it('times out on a silent broker, and retries', async () => {
  const { broker } = await startBroker();
  broker.faults.mute();
  const observed = observe(broker.url, { answerTimeoutMs: 100 });
  const down = await observed.state('down');
  expect(down).toEqual({
    type: 'down',
    code: undefined,
    reason: 'The broker did not authenticate the connection within 100 ms.',
    retryable: true,
  });
  broker.faults.recover();
  await observed.state('live');
});

it('reports a refused TCP connection, and connects when the broker starts', async () => {
  const { broker } = await startBroker();
  const { port, url } = broker;
  await broker.close();
  const observed = observe(url);
  const { reason } = await observed.state('down');
  expect(reason).toMatch(/^The connection to the broker failed: .*ECONNREFUSED.*\.$/);
  await startBroker({ port });
  await observed.state('live');
});

it('drops a frame that cannot be parsed', async () => {
  const { broker, market } = await startBroker();
  const observed = await live(broker);
  broker.faults.sendFrame(new Uint8Array([0xc1, 0xc1]));
  await observed.invalid.until(() => true);
  broker.faults.sendFrame('not msgpack');
  await observed.invalid.until(() => true, 1);
  market.push(trade(9));
  await observed.events.until(() => true);
  expect(observed.states.all.at(-1)).toEqual({ type: 'live' });
});

it('has released the connection when closed, and reports nothing more', async () => {
  const { broker, market } = await startBroker();
  const observed = await live(broker);
  await Promise.all([observed.feed.close(), observed.feed.close()]);
  expect(observed.states.all.at(-1)).toEqual({ type: 'stopped' });
  await vi.waitFor(() => expect(broker.stats.connections).toBe(0), 10_000);
  market.push(trade(1));
  const other = await live(broker);
  market.push(trade(2));
  await other.events.until(() => true);
  expect(observed.events.all).toEqual([]);
  expect(observed.states.all.map(({ type }) => type)).toEqual(['connecting', 'live', 'stopped']);
});

it('can be closed while waiting for a retry, and while the handshake is unanswered', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await vi.waitFor(() => expect(server.listening).toBe(true));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const unanswered = observe(`ws://127.0.0.1:${port}/v2/iex`);
  await unanswered.state('connecting');
  await unanswered.feed.close();
  await new Promise((resolve) => server.close(resolve));
  const waiting = observe(`ws://127.0.0.1:${port}/v2/iex`);
  waiting.allowConnection = (_, signal) => once(signal, 'abort').then(() => {});
  await waiting.state('down');
  await waiting.feed.close();
  expect(unanswered.states.all.map(({ type }) => type)).toEqual(['connecting', 'stopped']);
  expect(waiting.states.all.map(({ type }) => type)).toEqual(['connecting', 'down', 'stopped']);
});

it('serves symbols within the limit and refuses the rest, also after a reconnect', async () => {
  // Trades and quotes count separately.
  const { broker, market } = await startBroker({ symbolLimit: 3 });
  const observed = await live(broker);
  const refusal = {
    symbol: 'MSFT',
    code: 405,
    isUnknown: false,
    reason: expect.stringContaining('allows no more instruments at a time'),
  };
  expect(observed.refusals.all).toEqual([refusal]);
  market.push(trade(1, 'MSFT'), trade(2, 'AAPL'));
  await observed.events.until(({ symbol }) => symbol === 'AAPL');
  expect(observed.events.all).toHaveLength(1);
  broker.faults.drop();
  await observed.state('live', 3);
  expect(observed.refusals.all).toEqual([refusal, refusal]);
  expect(observed.states.all.map(({ type }) => type)).toEqual([
    'connecting',
    'live',
    'down',
    'connecting',
    'live',
  ]);
});

it('refuses one malformed symbol, and serves the others', async () => {
  const { broker, market } = await startBroker();
  const observed = await live(broker, { symbols: ['AAPL', 'NO SUCH', 'MSFT'] });
  expect(observed.refusals.all).toMatchObject([{ symbol: 'NO SUCH', code: 400, isUnknown: true }]);
  market.push(trade(1, 'MSFT'));
  await observed.events.until(({ symbol }) => symbol === 'MSFT');
});

it('changes the instruments on the same connection', async () => {
  const { broker, market } = await startBroker({ symbolLimit: 2 });
  const observed = await live(broker, { symbols: [] });
  observed.feed.setSymbols(['AAPL']);
  await observed.subscribed.until((symbols) => symbols.includes('AAPL'));
  market.push(trade(1, 'AAPL'), trade(2, 'MSFT'));
  await observed.events.until(() => true);
  observed.feed.setSymbols(['MSFT']);
  await observed.subscribed.until((symbols) => symbols.includes('MSFT'));
  market.push(trade(3, 'AAPL'), trade(4, 'MSFT'));
  await observed.events.until(({ symbol }) => symbol === 'MSFT');
  expect(observed.events.all.map((event) => event.kind === 'trade' && event.price)).toEqual([1, 4]);
  expect(observed.subscribed.all).toEqual([['AAPL'], [], ['MSFT']]);
  expect(observed.refusals.all).toEqual([]);
  expect(broker.stats.accepted).toBe(1);
});

it('reports each frame as JSON before its events, in both directions', async () => {
  const { broker, market } = await startBroker();
  const observed = await live(broker, { symbols: ['AAPL'] });
  market.push(trade(100.5));
  await observed.events.until(() => true);
  const frames = (direction: string) =>
    observed.raw.all.filter(({ dir }) => dir === direction).map(({ json }) => JSON.parse(json));
  expect(frames('out')).toEqual([
    { action: 'auth', ...CREDENTIALS },
    { action: 'subscribe', trades: ['AAPL'], quotes: ['AAPL'], lulds: ['AAPL'], statuses: ['AAPL'] },
  ]);
  expect(frames('in')).toEqual([
    [{ T: 'success', msg: 'connected' }],
    [{ T: 'success', msg: 'authenticated' }],
    [expect.objectContaining({ T: 'subscription', trades: ['AAPL'], quotes: ['AAPL'] })],
    [expect.objectContaining({ T: 't', S: 'AAPL', p: 100.5, t: '2026-01-02T15:30:00.208000000Z' })],
  ]);
});

it('reports no frame after close was called, and terminates an unresponsive connection', async () => {
  const { broker, market } = await startBroker();
  const observed = await live(broker);
  broker.faults.freeze();
  const closed = observed.feed.close(0);
  market.push(trade(1));
  await closed;
  expect(observed.events.all).toEqual([]);
  expect(observed.states.all.at(-1)).toEqual({ type: 'stopped' });
  broker.faults.recover();
  await vi.waitFor(() => expect(broker.stats.connections).toBe(0), 10_000);
});

it('stays down when a connection is not permitted', async () => {
  const { broker } = await startBroker();
  const observed = new ObservedFeed(
    createAlpacaFeed({ url: broker.url, ...CREDENTIALS }),
    ['AAPL'],
    async () => {
      throw new Error('No attempt is left.');
    },
  );
  expect(await observed.state('down')).toEqual({
    type: 'down',
    code: undefined,
    reason: 'Connection not permitted: No attempt is left.',
    retryable: false,
  });
  await observed.feed.close();
  expect(broker.stats.accepted).toBe(0);
});

it('requires a WebSocket URL', () => {
  expect(() => createAlpacaFeed({ ...CREDENTIALS, url: 'https://example.org' })).toThrow(
    'must start with ws:// or wss://',
  );
});

// The WebSocket feed: mapped frames and messages, reconnects, pings, and a mapping that throws.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { WebSocketFeedOptions } from '../../feeds/websocket-feed.ts';
import type { FrameItem, Mapping } from '../../mapping.ts';
import { trade } from '../gateway.fixture.ts';
import type { VenueProtocol } from '../replay/replay-server.fixture.ts';
import { observe, startServer } from './websocket-feed.fixture.ts';

/** A venue that ignores messages; the test sends its frames. */
const ANY_PROTOCOL: VenueProtocol = { answer: () => [], topicOf: () => undefined };

/** A mapping whose frames are lists of items. */
const ITEM_MAPPING: Mapping = {
  read: (frame) => frame as FrameItem[],
  subscribe: (symbols) => ({ subscribe: symbols }),
  unsubscribe: (symbols) => [{ unsubscribe: symbols }, 'bye'],
};

const KINDS =
  'trade, quote, correction, cancel, status, heartbeat, ignore, send, subscribed, refused or error';
const KIND_RULE = `The mapping returned an invalid item: kind must be ${KINDS}`;

async function live(mapping: Mapping, options: Partial<WebSocketFeedOptions> = {}) {
  const server = await startServer(ANY_PROTOCOL);
  const observed = observe({ url: server.url, mapping, ...options }, ['AAPL']);
  await observed.state('live');
  return { server, observed };
}

it('reports invalid frames, and drops events of symbols that are not requested', async () => {
  const { server, observed } = await live({
    ...ITEM_MAPPING,
    read(frame) {
      if (frame === 'fail') throw new Error('no such field');
      return frame as FrameItem[];
    },
  });
  for (const text of ['"fail"', 'not json', '[{"kind":"bar"}]', '[null]', '{}']) server.broadcast(text);
  server.broadcast(JSON.stringify([trade(1, 'MSFT'), trade(2)]));
  for (const text of ['[]', '[{"kind":"ignore"}]', '[{"kind":"heartbeat"}]']) server.broadcast(text);
  server.broadcast(JSON.stringify([trade(3)]));
  await observed.events.until((event) => 'price' in event && event.price === 3);
  expect(observed.events.all).toEqual([trade(2), trade(3)]);
  expect(observed.invalid.all).toEqual([
    'The mapping cannot parse a frame: no such field',
    'The frame is not JSON: not json',
    ...['"bar"', 'null', 'an object'].map((kind) => `${KIND_RULE}, but was ${kind}.`),
    "The mapping returned nothing for a frame with no field. Return { kind: 'ignore' } for frames that mean nothing.",
  ]);
  expect(observed.states.all).toHaveLength(2);
});

it('sends the messages of open, subscribe and unsubscribe, and reports them as raw frames', async () => {
  const { server, observed } = await live({ ...ITEM_MAPPING, open: () => ({ login: 'me' }) });
  observed.feed.setSymbols(['MSFT']);
  await server.received.until((message) => JSON.stringify(message) === '{"subscribe":["MSFT"]}');
  expect(observed.raw.all.map(({ dir, json }) => [dir, json])).toEqual([
    ['out', '{"login":"me"}'],
    ['out', '{"subscribe":["AAPL"]}'],
    ['out', '{"unsubscribe":["AAPL"]}'],
    ['out', '"bye"'],
    ['out', '{"subscribe":["MSFT"]}'],
  ]);
  expect(observed.subscribed.all).toEqual([['AAPL'], ['MSFT']]);
});

it('reconnects after an error item, unless the item is not retryable', async () => {
  const { server, observed } = await live(ITEM_MAPPING);
  server.broadcast(JSON.stringify({ kind: 'error', code: 'E1', reason: 'Too slow.' }));
  await observed.state('live', 2);
  server.broadcast(JSON.stringify({ kind: 'error', reason: 'No such key.', retryable: false }));
  await observed.states.until((state) => state.type === 'down' && !state.retryable);
  expect(observed.states.all.filter(({ type }) => type === 'down')).toEqual([
    { type: 'down', code: 'E1', reason: 'Too slow.', retryable: true },
    { type: 'down', code: undefined, reason: 'No such key.', retryable: false },
  ]);
  await vi.waitFor(() => expect(server.connections).toBe(0), 10_000);
});

it.each([
  ['open', () => ({ ...ITEM_MAPPING, open: fail })],
  ['subscribe', () => ({ ...ITEM_MAPPING, subscribe: fail })],
] as const)('goes down permanently if the function %s of the mapping throws', async (name, mapping) => {
  const server = await startServer(ANY_PROTOCOL);
  const observed = observe({ url: server.url, mapping: mapping() }, ['AAPL']);
  expect(await observed.state('down')).toEqual({
    type: 'down',
    code: undefined,
    reason: `The function ${name} of the mapping failed: oops. Correct it, then restart the gateway.`,
    retryable: false,
  });
  expect(server.accepted).toBe(1);
});

it('reconnects after a drop and after a close, and reports the close code', async () => {
  const { server, observed } = await live(ITEM_MAPPING);
  server.disconnect(1008, 'go away');
  await observed.state('live', 2);
  server.drop();
  await observed.state('live', 5);
  expect(observed.states.all.filter(({ type }) => type === 'down')).toMatchObject([
    { code: 1008, reason: 'The server closed the connection (1008, go away).', retryable: true },
    { code: 1006, retryable: true },
  ]);
});

it('detects a server that answers no ping, with WebSocket pings and with ping messages', async () => {
  const { server, observed } = await live(ITEM_MAPPING, { pingMs: 30 });
  server.freeze();
  expect((await observed.state('down')).reason).toBe('The server did not answer a ping within 30 ms.');
  const own = await live({ ...ITEM_MAPPING, ping: () => 'ping' }, { pingMs: 30 });
  expect((await own.observed.state('down')).reason).toContain('did not answer a ping');
  expect(own.observed.raw.all.map(({ json }) => json)).toContain('"ping"');
});

it.each([
  [401, false],
  [503, true],
])('reports the HTTP status %i of the handshake', async (status, retryable) => {
  const http = createServer().on('upgrade', (_request, socket) =>
    socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`),
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => new Promise((resolve) => http.close(() => resolve())));
  const observed = observe(
    { url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`, mapping: ITEM_MAPPING },
    ['AAPL'],
  );
  expect(await observed.state('down')).toMatchObject({ code: status, retryable });
  await observed.feed.close();
});

it('reports a refused TCP connection', async () => {
  const observed = observe({ url: 'ws://127.0.0.1:1', mapping: ITEM_MAPPING }, ['AAPL']);
  expect((await observed.state('down')).reason).toMatch(/^The connection failed: .*ECONNREFUSED/);
});

it('reports nothing after close was called', async () => {
  const { server, observed } = await live(ITEM_MAPPING);
  const closed = observed.feed.close();
  server.broadcast(JSON.stringify(trade(1)));
  await closed;
  expect(observed.events.all).toEqual([]);
  expect(observed.states.all.at(-1)).toEqual({ type: 'stopped' });
  await vi.waitFor(() => expect(server.connections).toBe(0), 10_000);
});

function fail(): never {
  throw new Error('oops');
}

// Reconnecting: the delays grow until a venue delivers data, and a venue's own budget of connections is respected.

import { setTimeout as sleep } from 'node:timers/promises';
import { startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { expect, it, onTestFinished } from 'vitest';
import { createAlpacaFeed } from '../../feeds/alpaca-feed.ts';
import type { Feed } from '../../feeds/feed.ts';
import { retryDelayMs } from '../../feeds/feed-backoff.ts';
import { createWebSocketFeed } from '../../feeds/websocket-feed.ts';
import type { FrameItem, Mapping } from '../../mapping.ts';
import { CREDENTIALS, ManualMarket, trade } from '../gateway.fixture.ts';
import { ObservedFeed } from './observed-feed.fixture.ts';
import { startVenueServer } from './venue-server.fixture.ts';
import { observe } from './websocket-feed.fixture.ts';

/** A mapping whose frames are lists of items. */
const ITEM_MAPPING: Mapping = { read: (frame) => frame as FrameItem[] };
const TIMES = { retryMs: 1, maxRetryMs: 8 };

/** The delay before each attempt. */
function delaysOf(observed: ObservedFeed): readonly number[] {
  return observed.attempts.all.map((attempt) => retryDelayMs(attempt, TIMES));
}

it('doubles the delay while a venue opens each connection and closes it at once', async () => {
  const venue = await startVenueServer({ onConnection: (socket) => socket.close(1000) });
  const observed = observe({ url: venue.url, mapping: ITEM_MAPPING }, ['AAPL']);
  await observed.attempts.until(({ failures }) => failures === 5);
  expect(delaysOf(observed).slice(0, 6)).toEqual([0, 1, 2, 4, 8, 8]);
  expect(observed.states.all.filter(({ type }) => type === 'live').length).toBeGreaterThanOrEqual(5);
});

it('starts again with the shortest delay after a price, not after a heartbeat or another instrument', async () => {
  const frames = [
    { kind: 'heartbeat' },
    trade(1, 'MSFT'),
    { kind: 'subscribed', symbols: ['AAPL'] },
    trade(1),
    { kind: 'heartbeat' },
  ];
  let connections = 0;
  const venue = await startVenueServer({
    onConnection: (socket) => {
      socket.send(JSON.stringify(frames[connections++ % frames.length]));
      socket.close(1000);
    },
  });
  const observed = observe({ url: venue.url, mapping: ITEM_MAPPING }, ['AAPL']);
  await observed.attempts.until(() => observed.attempts.all.length === 6);
  expect(delaysOf(observed).slice(0, 6)).toEqual([0, 1, 2, 4, 1, 2]);
});

it('doubles the delay of the alpaca feed while the broker accepts it and drops it without a price', async () => {
  const market = new ManualMarket();
  const broker = await startSimulatedBroker({ source: market });
  onTestFinished(() => broker.close());
  const observed = observeFeed(createAlpacaFeed({ url: broker.url, ...CREDENTIALS }));
  for (let session = 1; session <= 3; session++) {
    await live(observed, session);
    broker.faults.drop();
  }
  await live(observed, 4);
  expect(delaysOf(observed)).toEqual([0, 1, 2, 4]);
  market.push(trade(1));
  await observed.events.until(() => true);
  broker.faults.drop();
  await live(observed, 5);
  expect(delaysOf(observed).at(-1)).toBe(1);
});

it('does not count a reconnect that the gateway asks for as a failure of the venue', async () => {
  const venue = await startVenueServer();
  const observed = observe({ url: venue.url, mapping: ITEM_MAPPING }, ['AAPL']);
  for (let session = 1; session <= 3; session++) {
    await live(observed, session);
    observed.feed.reconnect('No frame received for 60000 ms.');
  }
  await live(observed, 4);
  expect(delaysOf(observed)).toEqual([0, 1, 1, 1]);
});

it.each([
  ['429 Too Many Requests', 429],
  ['503 Service Unavailable', 503],
])('waits as long as a venue with a full budget says in its answer %s', async (status, code) => {
  // Accepts one connection a second.
  let freeAt = 0;
  let refusals = 0;
  const venue = await startVenueServer({
    refuse: () => {
      const waitS = Math.ceil((freeAt - performance.now()) / 1_000);
      if (waitS <= 0) {
        freeAt = performance.now() + 1_000;
        return undefined;
      }
      refusals++;
      return `HTTP/1.1 ${status}\r\nRetry-After: ${waitS}\r\nContent-Length: 0\r\n\r\n`;
    },
    onConnection: (socket) => socket.close(1000),
  });
  const feed = createWebSocketFeed({ url: venue.url, mapping: ITEM_MAPPING });
  const observed = observeFeed(feed, (attempt, signal) =>
    sleep(retryDelayMs(attempt, TIMES), undefined, { signal }),
  );
  await observed.states.until(({ type }) => type === 'down' && venue.sockets.all.length === 2);
  expect(refusals).toBe(1);
  const refusal = observed.states.all.find((state) => state.type === 'down' && state.code === code);
  expect(refusal).toEqual({
    type: 'down',
    code,
    reason: `The server refused the connection with HTTP status ${code} and asks to wait 1 s.`,
    retryable: true,
    retryAfterMs: 1_000,
  });
});

it('waits as long as an error item of the mapping says, but not longer than an hour', async () => {
  const errors = [
    { kind: 'error', reason: 'Too many connections.', retryAfterMs: 5_000 },
    { kind: 'error', reason: 'Banned.', retryAfterMs: 1e12 },
    { kind: 'error', reason: 'Now.', retryAfterMs: 0 },
  ];
  const venue = await startVenueServer({
    onConnection: (socket) => socket.send(JSON.stringify(errors[venue.sockets.all.length - 1])),
  });
  const observed = observe({ url: venue.url, mapping: ITEM_MAPPING }, ['AAPL']);
  await observed.attempts.until(() => observed.attempts.all.length === 4);
  expect(delaysOf(observed)).toEqual([0, 5_000, 3_600_000, 1]);
});

function observeFeed(feed: Feed, grant?: ConstructorParameters<typeof ObservedFeed>[2]): ObservedFeed {
  const observed = new ObservedFeed(feed, ['AAPL'], grant);
  onTestFinished(() => feed.close());
  return observed;
}

/** Resolves when the feed is live for the given time. */
async function live(observed: ObservedFeed, times: number): Promise<void> {
  const count = () => observed.states.all.filter(({ type }) => type === 'live').length;
  await observed.states.until(() => count() >= times);
}

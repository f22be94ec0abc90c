// A gateway on a venue with the websocket feed: budgets of connections, and heartbeats that confirm no price.

import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it } from 'vitest';
import { createWebSocketFeed } from '../feeds/websocket-feed.ts';
import type { FrameItem } from '../mapping.ts';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { startVenueServer, type VenueServerOptions } from './feeds/venue-server.fixture.ts';
import { AT, SILENT, trade } from './gateway.fixture.ts';

const testbed = useEmbeddedGateways();
const mapping = { read: (frame: unknown) => frame as FrameItem[] };

async function startVenue(options: VenueServerOptions = {}) {
  const venue = await startVenueServer(options);
  return { venue, createFeed: async () => createWebSocketFeed({ url: venue.url, mapping, pingMs: 0 }) };
}

it('says when it tries again if its budget is used up, and tries as soon as the window permits it', async () => {
  const openedAt: number[] = [];
  const { createFeed } = await startVenue({
    onConnection: (socket) => {
      openedAt.push(performance.now());
      socket.close(1013, 'try again later');
    },
  });
  const gateway = await testbed.startGateway({ createFeed, connectLimit: 3, connectWindowMs: 1_500 });
  const { detail = '' } = await testbed.statuses.until(({ detail }) => /CONNECT_LIMIT/.test(detail ?? ''));
  expect(detail).toMatch(
    /^The server closed the connection \(1013, try again later\)\. The limit of connection/,
  );
  expect(detail).toMatch(
    /The limit of connection attempts \(CONNECT_LIMIT\) is reached\. Retrying in \d+ ms\.$/,
  );
  expect(gateway.stats.attempts).toBe(3);
  await testbed.statuses.until(() => openedAt.length >= 4);
  const [first = 0, , , fourth = 0] = openedAt;
  // Between the attempt, which Redis records, and its connection pass some milliseconds.
  expect(fourth - first).toBeGreaterThan(1_400);
  expect(fourth - first).toBeLessThan(2_500);
});

it('waits for the next free place of a venue that limits connections, and reports when that is', async () => {
  let refusals = 0;
  const { venue, createFeed } = await startVenue({
    refuse: () =>
      refusals++ === 0
        ? 'HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n'
        : undefined,
  });
  await testbed.startGateway({ createFeed });
  const { detail } = await testbed.nextStatus('down');
  expect(detail).toBe(
    'The server refused the connection with HTTP status 429 and asks to wait 1 s. Retrying in 1000 ms.',
  );
  await testbed.nextStatus('live');
  expect(venue.sockets.all).toHaveLength(1);
});

it('is live on heartbeats alone, but they keep no price fresh; without them it is silent', async () => {
  const { venue, createFeed } = await startVenue();
  const subscriber = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => subscriber.close());
  const bounds = { maxAgeMs: 600, maxQuietMs: 60_000 };
  subscriber.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['AAPL'], ...bounds });
  const verdicts: string[] = [];
  subscriber.on('verdict', ({ verdict }) => verdicts.push(verdict));
  await subscriber.startListening();
  await testbed.startGateway({ createFeed, silentAfterMs: 500 });
  const socket = await venue.sockets.until(() => true);
  await testbed.nextStatus('live');
  const send = (...items: object[]) => socket.send(JSON.stringify(items));
  const prices = setInterval(() => send(trade(2, 'MSFT')), 50);
  testbed.cleanUps.push(async () => clearInterval(prices));
  send(trade(1));
  await expect.poll(() => verdicts.at(-1), { timeout: 5_000 }).toBe('fresh');
  clearInterval(prices);
  const heartbeats = setInterval(() => send({ kind: 'heartbeat' }), 50);
  testbed.cleanUps.push(async () => clearInterval(heartbeats));
  await expect.poll(() => verdicts.at(-1), { timeout: 5_000 }).toBe('quiet_market');
  const quiet = await testbed.statuses.until(({ last_frame_ago_ms = 0 }) => last_frame_ago_ms > 1_000);
  expect(quiet.state).toBe('live');
  expect(testbed.statuses.all.map(({ state }) => state)).not.toContain('silent');
  clearInterval(heartbeats);
  await testbed.nextStatus('silent');
});

it('takes back what a mapping reports as cancelled or corrected, and honours exclusions and halts', async () => {
  const { venue, createFeed } = await startVenue();
  await using bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  const bounds = { maxAgeMs: 30_000, maxQuietMs: 3_600_000 };
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['AAPL'] });
  await bot.startListening();
  await testbed.startGateway({ createFeed });
  const socket = await venue.sockets.until(() => true);
  const shows = (price: number, verdict = 'fresh') =>
    expect
      .poll(() => {
        const latest = bot.latest(CHANNELS.PRICE_DATA, 'AAPL', bounds);
        return [latest.message?.data.price, latest.verdict];
      })
      .toEqual([price, verdict]);
  const send = (...items: object[]) => socket.send(JSON.stringify(items));
  const traded = (n: number, more: object = {}) =>
    send({ ...trade(100 + n), trade_id: n, timestamp: AT + n, ...more });
  const about = { symbol: 'AAPL', timestamp: AT + 60_000 };
  traded(1);
  traded(2);
  await shows(102);
  traded(3, { excluded_from: ['last'], conditions: ['block'] });
  const [first, second] = [1, 2].map((n) => ({ trade_id: n, price: 100 + n, size: 10 }));
  send({ kind: 'cancel', ...about, original: second, reason: 'cancel' });
  await shows(101);
  send({ kind: 'correction', ...about, original: first, corrected: { ...first, price: 90 } });
  await shows(90);
  send({ kind: 'status', symbol: 'AAPL', market: 'halted', detail: 'T1' });
  await shows(90, 'halted');
  expect(() => bot.requireFresh(CHANNELS.PRICE_DATA, 'AAPL', bounds)).toThrow('T1');
  send({ kind: 'status', symbol: 'AAPL', market: 'trading' });
  await shows(90);
  expect(testbed.prices.all.map(({ data }) => data.price)).not.toContain(103);
});

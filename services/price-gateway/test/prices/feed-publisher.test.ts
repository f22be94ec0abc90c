// FeedPublisher counts failures, logs each once, publishes nothing without the lease, and truncates error details.

import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { MemoryConnection } from 'tickbus/testing';
import { beforeEach, expect, it, vi } from 'vitest';
import { RateLimitedLog } from '../../monitoring/rate-limited-log.ts';
import { Counters } from '../../monitoring/stats.ts';
import { FeedPublisher } from '../../prices/feed-publisher.ts';
import { AT, collect, ReceivedValues, SILENT } from '../gateway.fixture.ts';

const PRICE = { symbol: 'AAPL', price: 1, timestamp: AT };
const warn = vi.fn();
let connection: MemoryConnection;
let counters: Counters;
let holds: boolean;
let feedPublisher: FeedPublisher;

beforeEach(async () => {
  warn.mockClear();
  connection = new MemoryConnection();
  counters = new Counters();
  holds = true;
  const warnings = new RateLimitedLog({ debug() {}, info() {}, error() {}, warn });
  const publisher = new RedisPublisher({ connection });
  await publisher.connect();
  feedPublisher = new FeedPublisher({
    publisher,
    channel: CHANNELS.PRICE_DATA,
    holdsLease: () => holds,
    counters,
    warnings,
  });
});

it('counts a price when it is published', async () => {
  feedPublisher.publishPrice(PRICE);
  expect(counters.published).toBe(0);
  await feedPublisher.settled();
  expect(counters).toMatchObject({ published: 1, failures: {} });
});

it('counts failures by code, and logs them once', async () => {
  connection.disconnect();
  for (let count = 0; count < 3; count++) feedPublisher.publishPrice(PRICE);
  await feedPublisher.settled();
  expect([counters.published, counters.failures]).toEqual([0, { TICKBUS_NOT_CONNECTED: 3 }]);
  expect(warn).toHaveBeenCalledTimes(1);
});

it('publishes nothing without the lease', async () => {
  await using subscriber = new RedisSubscriber({ connection, logger: SILENT });
  const received = new ReceivedValues<unknown>();
  collect(subscriber, CHANNELS.FEED_STATUS, received.add);
  await subscriber.startListening();
  holds = false;
  feedPublisher.publishFeedStatus({ feed: 'alpaca', state: 'live' });
  feedPublisher.publishPrice(PRICE);
  feedPublisher.publishInstrumentStatus({ symbol: 'AAPL', feed: 'alpaca', state: 'subscribed' });
  holds = true;
  feedPublisher.publishFeedStatus({ feed: 'alpaca', state: 'down' });
  await received.until(() => true);
  expect(received.all).toMatchObject([{ data: { state: 'down' } }]);
  expect(counters.failures).toEqual({ TICKBUS_FENCED: 3 });
});

it('truncates a detail that exceeds the limit of the channel', async () => {
  await using subscriber = new RedisSubscriber({ connection, logger: SILENT });
  const received = new ReceivedValues<string>();
  collect(subscriber, CHANNELS.FEED_STATUS, ({ data }) => received.add(data.detail ?? ''));
  await subscriber.startListening();
  feedPublisher.publishFeedStatus({ feed: 'alpaca', state: 'down', detail: 'x'.repeat(5_000) });
  expect(await received.until(() => true)).toHaveLength(1_000);
});

// What the holder publishes: counted when it fails, logged once, kept back when the lease is gone, never too long.

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
  feedPublisher = new FeedPublisher({ publisher, holdsLease: () => holds, counters, warnings });
});

it('counts what was published, once it is', async () => {
  feedPublisher.publishPrice(PRICE);
  expect(counters.published).toBe(0);
  await feedPublisher.settled();
  expect(counters).toMatchObject({ published: 1, failures: {} });
});

it('counts what fails by its code, and logs it once', async () => {
  connection.disconnect();
  for (let count = 0; count < 3; count++) feedPublisher.publishPrice(PRICE);
  await feedPublisher.settled();
  expect([counters.published, counters.failures]).toEqual([0, { TICKBUS_NOT_CONNECTED: 3 }]);
  expect(warn).toHaveBeenCalledTimes(1);
});

it('says nothing at all without the lease', async () => {
  await using subscriber = new RedisSubscriber({ connection, logger: SILENT });
  const heard = new ReceivedValues<unknown>();
  collect(subscriber, CHANNELS.FEED_STATUS, heard.add);
  await subscriber.startListening();
  holds = false;
  feedPublisher.publishFeedStatus({ feed: 'alpaca', state: 'live' });
  feedPublisher.publishPrice(PRICE);
  feedPublisher.publishInstrumentStatus({ symbol: 'AAPL', feed: 'alpaca', state: 'subscribed' });
  holds = true;
  feedPublisher.publishFeedStatus({ feed: 'alpaca', state: 'down' });
  await heard.until(() => true);
  expect(heard.all).toMatchObject([{ data: { state: 'down' } }]);
  expect(counters.failures).toEqual({ TICKBUS_FENCED: 3 });
});

it('cuts a detail that is longer than the channel takes, so that it is told at all', async () => {
  await using subscriber = new RedisSubscriber({ connection, logger: SILENT });
  const heard = new ReceivedValues<string>();
  collect(subscriber, CHANNELS.FEED_STATUS, ({ data }) => heard.add(data.detail ?? ''));
  await subscriber.startListening();
  feedPublisher.publishFeedStatus({ feed: 'alpaca', state: 'down', detail: 'x'.repeat(5_000) });
  expect(await heard.until(() => true)).toHaveLength(1_000);
});

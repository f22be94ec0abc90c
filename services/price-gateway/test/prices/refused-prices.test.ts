import { setImmediate } from 'node:timers/promises';
import { silentLogger } from '@tickbus/test-kit';
import { type FeedStatus, type Price, TickbusError } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import type { RedisPublisher } from 'tickbus/publisher';
import { beforeEach, expect, it } from 'vitest';
import { RateLimitedLog } from '../../monitoring/rate-limited-log.ts';
import { Counters } from '../../monitoring/stats.ts';
import { FeedPublisher } from '../../prices/feed-publisher.ts';

const LIVE: FeedStatus = { feed: 'test', state: 'live' };

let accepted: (string | number)[];
let rejection: TickbusError | undefined;
/** Prices are in flight for longer than statuses. */
let isSlow: boolean;
let feed: FeedPublisher;
beforeEach(() => {
  accepted = [];
  rejection = undefined;
  isSlow = false;
  const publish = async (channel: { name: string }, data: { price?: number }) => {
    if (channel.name === 'PRICE_DATA' && isSlow) await setImmediate();
    if (channel.name === 'PRICE_DATA' && rejection !== undefined) throw rejection;
    accepted.push(data.price ?? channel.name);
  };
  feed = new FeedPublisher({
    channel: CHANNELS.PRICE_DATA,
    publisher: { publish } as unknown as RedisPublisher,
    holdsLease: () => true,
    counters: new Counters(),
    warnings: new RateLimitedLog(silentLogger as never),
  });
});

const price = (value: number, symbol = 'AAPL') => ({ symbol, price: value, timestamp: 1 }) as Price;

it.each(['TICKBUS_FENCED', 'TICKBUS_NOT_SENT', 'TICKBUS_OUTCOME_UNKNOWN', 'TICKBUS_SERVER_ERROR'] as const)(
  'publishes a price again before each heartbeat after %s, until Redis accepts it',
  async (code) => {
    rejection = new TickbusError(code, 'The node of the partition is down.');
    feed.publishPrice(price(1));
    feed.publishPrice(price(2, 'MSFT'));
    await feed.settled();
    feed.publishFeedStatus(LIVE);
    await feed.settled();
    expect(accepted).toEqual(['FEED_STATUS']);
    rejection = undefined;
    feed.publishFeedStatus(LIVE);
    await feed.settled();
    feed.publishFeedStatus(LIVE);
    await feed.settled();
    expect(accepted).toEqual(['FEED_STATUS', 1, 2, 'FEED_STATUS', 'FEED_STATUS']);
  },
);

it('publishes only the newest price of a symbol again', async () => {
  rejection = new TickbusError('TICKBUS_FENCED', 'The node of the partition is down.');
  feed.publishPrice(price(1));
  feed.publishPrice(price(2));
  await feed.settled();
  feed.publishPrice(price(3, 'MSFT'));
  await feed.settled();
  rejection = undefined;
  feed.publishPrice(price(4, 'MSFT'));
  feed.publishFeedStatus(LIVE);
  await feed.settled();
  expect(accepted).toEqual([4, 2, 'FEED_STATUS']);
});

it('never publishes an invalid price again', async () => {
  rejection = new TickbusError('TICKBUS_INVALID_MESSAGE', 'The price is invalid.');
  feed.publishPrice(price(-1));
  await feed.settled();
  rejection = undefined;
  feed.publishFeedStatus(LIVE);
  await feed.settled();
  expect(accepted).toEqual(['FEED_STATUS']);
});

it.each(['settled', 'in flight'])(
  'never publishes a price from before an interruption of the feed again: %s',
  async (moment) => {
    rejection = new TickbusError('TICKBUS_FENCED', 'The node of the partition is down.');
    feed.publishPrice(price(1));
    if (moment === 'settled') await feed.settled();
    feed.publishFeedStatus({ ...LIVE, state: 'down' });
    await feed.settled();
    rejection = undefined;
    feed.publishFeedStatus(LIVE);
    await feed.settled();
    expect(accepted).toEqual(['FEED_STATUS', 'FEED_STATUS']);
  },
);

it('never publishes the price of an instrument again that is no longer subscribed', async () => {
  rejection = new TickbusError('TICKBUS_FENCED', 'The node of the partition is down.');
  feed.publishPrice(price(1));
  feed.publishInstrumentStatus({ symbol: 'AAPL', state: 'unsubscribed', feed: 'test' });
  await feed.settled();
  rejection = undefined;
  feed.publishFeedStatus(LIVE);
  await feed.settled();
  expect(accepted).toEqual(['INSTRUMENT_STATUS', 'FEED_STATUS']);
});

it('publishes the price from before a halt again, so that no older one is the last after it', async () => {
  rejection = new TickbusError('TICKBUS_FENCED', 'The node of the partition is down.');
  feed.publishPrice(price(1));
  await feed.settled();
  feed.publishInstrumentStatus({ symbol: 'AAPL', state: 'subscribed', market: 'halted', feed: 'test' });
  rejection = undefined;
  feed.publishFeedStatus(LIVE);
  await feed.settled();
  expect(accepted).toEqual(['INSTRUMENT_STATUS', 1, 'FEED_STATUS']);
});

it.each([{ market: 'no_price' }, { market: 'halted', has_price: false }] as const)(
  'says that an instrument has a price again only after the price: $market',
  async (market) => {
    isSlow = true;
    const subscribed = { symbol: 'AAPL', state: 'subscribed', feed: 'test' } as const;
    await feed.publishInstrumentStatus({ ...subscribed, ...market });
    feed.publishPrice(price(1));
    expect(await feed.publishInstrumentStatus(subscribed)).toBe(true);
    expect(accepted).toEqual(['INSTRUMENT_STATUS', 1, 'INSTRUMENT_STATUS']);
    await feed.publishInstrumentStatus({ ...subscribed, ...market });
    rejection = new TickbusError('TICKBUS_FENCED', 'The node of the partition is down.');
    feed.publishPrice(price(2));
    expect(await feed.publishInstrumentStatus(subscribed)).toBe(false);
    rejection = undefined;
    isSlow = false;
    feed.publishFeedStatus(LIVE);
    await feed.settled();
    expect(await feed.publishInstrumentStatus(subscribed)).toBe(true);
    expect(accepted.slice(3)).toEqual(['INSTRUMENT_STATUS', 2, 'FEED_STATUS', 'INSTRUMENT_STATUS']);
  },
);

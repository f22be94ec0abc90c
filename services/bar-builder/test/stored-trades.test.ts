// A builder that starts alone, on a real Redis: what it takes from the stored messages, with and without partitions.

import { TcpProxy } from '@tickbus/fault-kit/proxy';
import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { RedisConnection } from 'tickbus';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { all, barsOf, TradeDesk } from './stored-trades.fixture.ts';
import { describeStoredTrades } from './stored-trades-suite.ts';

const { BARS } = CHANNELS;

let redis: LocalRedis;
beforeEach(async () => {
  redis = await startLocalRedis();
});
afterEach(() => redis.kill());

describe.each([1, 16])('with %i partitions', (partitions) => {
  const open = async () => new TradeDesk(redis.url, partitions);
  describeStoredTrades(open);

  it('where one partition lost its trades, the stored trades of the others make no bars', async () => {
    await using desk = await open();
    const trade = await desk.tradePublisher();
    const bars = await desk.observedBars();
    for (const after of [-1_000, 0, 500]) await trade(after);
    const keys = await redis.answers('KEYS tickbus:{TRADES*}:history');
    const [history] = /tickbus:\S+/.exec(keys) ?? [];
    expect(await redis.answers(`DEL ${history}`)).toContain(':1');
    const service = await desk.startService();
    for (const after of [1_000, 2_000, 3_000]) await trade(after);
    await barsOf(2, bars, service).toEqual(all({ revision: 0, complete: true, trades: 1 }));
    await barsOf(0, bars, service).toEqual(all(undefined));
  });

  it.each([
    ['a trade', true],
    ['a trade after an interruption of the feed', false],
  ])('%s that is published while the stored ones are read counts once', async (_, complete) => {
    await using desk = await open();
    const trade = await desk.tradePublisher();
    await desk.prepareBars();
    const bars = await desk.observedBars();
    await trade(-1_000);
    await using statuses = new RedisPublisher({ url: redis.url, logger });
    const report = (state: 'live' | 'down') =>
      statuses.publish(CHANNELS.FEED_STATUS, { feed: 'alpaca', state });
    await report('live');
    await using proxy = await TcpProxy.start({ port: redis.port, random: new Random(1) });
    const subscribing = new RedisConnection({ host: '127.0.0.1', port: proxy.port, logger });
    const own = new RedisConnection({ url: redis.url, logger });
    desk.closing.push(() => subscribing.close());
    // The subscription gets the trade after the stored ones have been read.
    const read = own.publishing.read.bind(own.publishing);
    const spy = vi.spyOn(own.publishing, 'read').mockImplementation(async (channel, ...rest) => {
      const isFirst = spy.mock.calls.length === 1;
      if (isFirst) proxy.inject({ type: 'stall' }, 'to_client');
      if (isFirst && !complete) for (const state of ['down', 'live'] as const) await report(state);
      if (isFirst) await trade(100);
      const state = await read(channel, ...rest);
      if (channel.name.startsWith(BARS.name)) proxy.heal();
      return state;
    });
    const both = {
      publishing: own.publishing,
      subscribing: subscribing.subscribing,
      close: () => own.close(),
    };
    const service = await desk.startService({ connection: both });
    await trade(1_000);
    await barsOf(0, bars, service).toEqual(all({ revision: 0, complete, trades: 1 }));
  });
});

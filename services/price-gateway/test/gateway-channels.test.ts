// Gateways with different feeds: each has a channel of its own, and none stands by for a feed other than its own.

import type { FeedStatus } from 'tickbus';
import { CHANNELS, priceChannel } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { beforeEach, describe, expect, it } from 'vitest';
import { createWebSocketFeed } from '../feeds/websocket-feed.ts';
import type { FrameItem } from '../mapping.ts';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { startVenueServer } from './feeds/venue-server.fixture.ts';
import { ReceivedValues, SILENT, trade } from './gateway.fixture.ts';

const testbed = useEmbeddedGateways();
const KRAKEN = priceChannel('kraken');
const patient = { timeout: 30_000 };

// Statuses of gateways that an earlier test has stopped count as those of crashed ones if the test made them up.
beforeEach(() => testbed.redis.answers('FLUSHALL'));

async function venueFeed(venue?: string) {
  const server = await startVenueServer();
  const mapping = { read: (frame: unknown) => frame as FrameItem[], ...(venue !== undefined && { venue }) };
  return { server, createFeed: async () => createWebSocketFeed({ url: server.url, mapping, pingMs: 0 }) };
}

async function publishStatus(status: Partial<FeedStatus>): Promise<void> {
  await using publisher = new RedisPublisher({ ...testbed.address, logger: SILENT });
  await publisher.publish(CHANNELS.FEED_STATUS, { feed: 'alpaca', state: 'live', venue: 'iex', ...status });
}

describe('two gateways with a channel each', () => {
  it('deliver the same symbol, with prices, verdicts and statuses of their own', async () => {
    const { server, createFeed } = await venueFeed('kraken');
    const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
    testbed.cleanUps.push(() => bot.close());
    for (const channel of [CHANNELS.PRICE_DATA, KRAKEN]) bot.subscribe(channel, () => {}, { keys: ['AAPL'] });
    await bot.startListening();
    await testbed.startGateway();
    const second = await testbed.startGateway({ channel: KRAKEN, createFeed, symbols: [] });
    await testbed.nextStatus('live');
    const socket = await server.sockets.until(() => true);
    const bounds = { maxAgeMs: 60_000 };
    await expect.poll(() => bot.latest(KRAKEN, 'AAPL').instrument?.state, patient).toBe('subscribed');
    await expect.poll(() => testbed.broker.stats.connections, patient).toBe(1);
    testbed.market.push(trade(1));
    socket.send(JSON.stringify([trade(2)]));
    await expect.poll(() => bot.latest(KRAKEN, 'AAPL', bounds).verdict, patient).toBe('fresh');
    await expect.poll(() => bot.latest(CHANNELS.PRICE_DATA, 'AAPL', bounds).verdict, patient).toBe('fresh');
    expect(bot.requireFresh(CHANNELS.PRICE_DATA, 'AAPL', bounds).data).toMatchObject({
      price: 1,
      venue: 'iex',
    });
    expect(bot.requireFresh(KRAKEN, 'AAPL', bounds).data).toMatchObject({ price: 2, venue: 'kraken' });
    // Without the lengths that the protocol sends with each key.
    const keysOf = async (name: string) =>
      (await testbed.redis.answers(`HKEYS tickbus:{${name}}:last`)).match(/^[A-Z][\w. ]+$/gim)?.sort();
    expect(await keysOf('FEED_STATUS')).toEqual(['PRICE_DATA.kraken', 'alpaca']);
    expect(await keysOf('INSTRUMENT_STATUS')).toEqual(['AAPL', 'MSFT', 'PRICE_DATA.kraken AAPL']);
    expect(second.stats).toMatchObject({
      channel: 'PRICE_DATA.kraken',
      feed: { feed: 'websocket', venue: 'kraken', channel: 'PRICE_DATA.kraken' },
    });
    const status = await testbed.statuses.until(({ feed }) => feed === 'alpaca');
    expect(status).not.toHaveProperty('channel');
    await second.stop();
    await expect.poll(() => bot.latest(KRAKEN, 'AAPL', bounds).verdict, patient).toBe('gateway_down');
    expect(bot.latest(CHANNELS.PRICE_DATA, 'AAPL', bounds).verdict).toBe('fresh');
  });

  it('have a budget of connections each', async () => {
    const { createFeed } = await venueFeed('kraken');
    const options = { connectLimit: 1, connectWindowMs: 3_600_000, createFeed };
    const first = await testbed.startGateway(options);
    const second = await testbed.startGateway({ ...options, channel: KRAKEN });
    await expect
      .poll(() => [first.stats.feed?.state, second.stats.feed?.state], patient)
      .toEqual(['live', 'live']);
  });
});

describe('a gateway with another feed than that of its channel', () => {
  it('does not start while the other one is active, and says how to go on', async () => {
    const { createFeed } = await venueFeed('kraken');
    await testbed.startGateway({ holder: 'gateway-1' });
    await testbed.nextStatus('live');
    const second = testbed.newGateway({ createFeed });
    await expect(second.start()).rejects.toThrow(
      'The feed of this gateway is websocket (kraken), but the feed of PRICE_DATA is alpaca (iex), held by gateway-1.',
    );
    expect(second.readiness).toMatchObject({
      ready: false,
      detail: expect.stringContaining('CHANNEL=PRICE_DATA.kraken'),
    });
  });

  it('stops, if both have started at once', async () => {
    const { createFeed } = await venueFeed('kraken');
    const gateways = [testbed.newGateway(), testbed.newGateway({ createFeed })];
    const failures = new ReceivedValues<Error>();
    for (const gateway of gateways) void gateway.failure.then(failures.add);
    await Promise.all(gateways.map((gateway) => gateway.start()));
    expect(gateways.map(({ stats }) => stats.role)).not.toContain('stopped');
    const failure = await failures.until(() => true);
    expect(failure.message).toMatch(/websocket \(kraken\)/);
    expect(failure.message).toMatch(/alpaca \(iex\)/);
    await expect
      .poll(() => gateways.map(({ stats }) => stats.role).sort(), patient)
      .toEqual(['active', 'stopped']);
    expect(failures.all).toHaveLength(1);
  });

  it('does not start shortly after the other one has crashed, and starts when that is long ago', async () => {
    const { createFeed } = await venueFeed('kraken');
    await publishStatus({ interval_ms: 10_000 });
    await expect(testbed.newGateway({ createFeed }).start()).rejects.toThrow(
      'its last status counts for 600 s',
    );
    await publishStatus({ interval_ms: 1 });
    const started = () =>
      testbed.startGateway({ createFeed }).then(
        () => 'started',
        (error: Error) => error.name,
      );
    await expect.poll(started, patient).toBe('started');
  });

  it('is not what a forged status says, while the holder of the lease has the same feed', async () => {
    await testbed.startGateway();
    await testbed.nextStatus('live');
    const standby = await testbed.startGateway();
    const failures = new ReceivedValues<Error>();
    void standby.failure.then(failures.add);
    // The standby compares the feeds once a second, and the active gateway reports more often.
    for (let round = 0; round < 10; round++) {
      await publishStatus({ feed: 'forged', lease: 9e15 });
      const from = testbed.statuses.all.length;
      await testbed.statuses.until(({ feed }) => feed === 'alpaca', from);
    }
    expect([failures.all, standby.stats.role]).toEqual([[], 'standby']);
  });

  it('gives up the lease if it gets it, and a gateway with the first feed goes on', async () => {
    const { createFeed } = await venueFeed('kraken');
    const late = testbed.newGateway({ createFeed });
    await late.start();
    // The lease of a new server is granted one TTL later. By then the channel has another feed.
    await publishStatus({ interval_ms: 10_000 });
    expect((await late.failure).message).toContain('alpaca (iex)');
    await testbed.startGateway();
    await testbed.nextStatus('live', testbed.statuses.all.length);
  });

  it('starts after the other one has stopped', async () => {
    const { createFeed } = await venueFeed('kraken');
    const first = await testbed.startGateway();
    await testbed.nextStatus('live');
    await first.stop();
    const second = await testbed.startGateway({ createFeed });
    await expect.poll(() => second.stats.feed?.state, patient).toBe('live');
  });
});

describe('a feed is the same', () => {
  it.each([
    ['if an earlier version reports no venue', { feed: 'websocket', venue: undefined }, 'kraken', true],
    ['if the venue is the same', { feed: 'websocket', venue: 'kraken' }, 'kraken', true],
    ['not if the venue differs', { feed: 'websocket', venue: 'coinbase' }, 'kraken', false],
    [
      'not if the server of a feed without a venue differs',
      { feed: 'websocket', venue: 'a.example' },
      undefined,
      false,
    ],
    ['if the status is about another channel', { channel: 'PRICE_DATA.other' }, 'kraken', true],
  ] as const)('%s', async (_, status, venue, isSame) => {
    const { createFeed } = await venueFeed(venue);
    const { venue: reported, ...rest } = { venue: 'iex', ...status };
    await using publisher = new RedisPublisher({ ...testbed.address, logger: SILENT });
    const about = { ...rest, ...(reported !== undefined && { venue: reported }) };
    await publisher.publish(CHANNELS.FEED_STATUS, {
      feed: 'alpaca',
      state: 'live',
      interval_ms: 10_000,
      ...about,
    });
    const started = testbed.newGateway({ createFeed }).start();
    if (isSame) await started;
    else await expect(started).rejects.toThrow('The feed of this gateway is websocket');
  });
});

// INSTRUMENT_STATUS stores the statuses of the instruments that are currently requested, and no others.

import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { RedisSubscriber } from 'tickbus/subscriber';
import { beforeEach, expect, it, vi } from 'vitest';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { collect, SILENT } from './gateway.fixture.ts';
import { PickyFeed } from './picky-feed.fixture.ts';

const testbed = useEmbeddedGateways();
beforeEach(() => testbed.redis.answers(`DEL ${DEMAND_KEY} ${LAST_KEY}`));

const DEMAND_KEY = 'tickbus:{PRICE_DATA}:demand';
const LAST_KEY = 'tickbus:{INSTRUMENT_STATUS}:last';
const OPTIONS = { symbols: ['AAPL'], demandIntervalMs: 20, symbolGraceMs: 0 };

/** Connects to Redis, separately from the gateway. */
async function openLink() {
  const connection = new RedisConnection({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => connection.close());
  await connection.publishing.connect();
  const link = connection.publishing;
  return {
    demand: link.demand(CHANNELS.PRICE_DATA),
    /** The last values of INSTRUMENT_STATUS, as text. */
    async statuses(): Promise<readonly string[]> {
      const { entries } = await link.read(CHANNELS.INSTRUMENT_STATUS);
      return entries.map((entry) => new TextDecoder().decode(entry));
    },
  };
}

const keysOf = (round: number) => Array.from({ length: 1_000 }, (_, index) => `R${round}X${index}`);
const within = { timeout: 30_000, interval: 20 };

it('keeps the statuses of the present symbols only, while a bot requests others in each round', async () => {
  const ended = new Set<string>();
  const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => bot.close());
  collect(
    bot,
    CHANNELS.INSTRUMENT_STATUS,
    ({ data }) => data.state === 'unsubscribed' && ended.add(data.symbol),
  );
  await bot.startListening();
  await testbed.startGateway({ ...OPTIONS, createFeed: async () => new PickyFeed() });
  const { demand, statuses } = await openLink();
  const about = async (text: string) => (await statuses()).filter((status) => status.includes(text)).length;
  for (const round of [1, 2, 3]) {
    await demand.declare('flood', keysOf(round), 600_000);
    await vi.waitFor(async () => expect(await about(`"R${round}X`)).toBe(1_000), within);
    await vi.waitFor(async () => expect(await statuses()).toHaveLength(1_001), within);
    await demand.withdraw('flood', keysOf(round));
  }
  await vi.waitFor(async () => expect(await statuses()).toEqual([expect.stringContaining('"AAPL"')]), within);
  await vi.waitFor(() => expect(ended.size).toBe(3_000), within);
}, 90_000);

it('ends the statuses that an earlier gateway left behind, but not those of another channel', async () => {
  await using publisher = new RedisPublisher({ ...testbed.address, logger: SILENT });
  const status = { feed: 'earlier', state: 'subscribed' as const, lease: 1 };
  const left = keysOf(0).map((symbol) =>
    publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...status, symbol }),
  );
  await Promise.all(left);
  await publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...status, symbol: 'MSFT' });
  await publisher.publish(CHANNELS.INSTRUMENT_STATUS, { ...status, symbol: 'OTHER', channel: 'FX_DATA' });
  await testbed.redis.answers(`HSET ${LAST_KEY} BROKEN not-json`);
  const { demand, statuses } = await openLink();
  await demand.declare('bot', ['MSFT'], 600_000);
  await testbed.startGateway({ ...OPTIONS, createFeed: async () => new PickyFeed() });
  const kept = ['"AAPL"', '"MSFT"', '"OTHER"', 'not-json'].map((text) => expect.stringContaining(text));
  await vi.waitFor(async () => {
    const all = await statuses();
    expect(all).toHaveLength(4);
    expect(all).toEqual(expect.arrayContaining(kept));
  }, within);
}, 60_000);

it('keeps a halt if the statuses of the earlier gateway cannot be read when it takes over', async () => {
  await using publisher = new RedisPublisher({ ...testbed.address, logger: SILENT });
  const halted = {
    symbol: 'AAPL',
    state: 'subscribed',
    market: 'halted',
    feed: 'earlier',
    lease: 1,
  } as const;
  await publisher.publish(CHANNELS.INSTRUMENT_STATUS, halted);
  const markets: (string | undefined)[] = [];
  const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => bot.close());
  collect(bot, CHANNELS.INSTRUMENT_STATUS, ({ data }) => markets.push(data.market));
  await bot.startListening();
  // Reads of a value of another type fail.
  await testbed.redis.answers(`RENAME ${LAST_KEY} kept`);
  await testbed.redis.answers(`SET ${LAST_KEY} unreadable`);
  const gateway = await testbed.startGateway({ ...OPTIONS, createFeed: async () => new PickyFeed() });
  await vi.waitFor(() => expect(gateway.stats.feed?.state).toBe('live'), within);
  await testbed.redis.answers(`RENAME kept ${LAST_KEY}`);
  await vi.waitFor(() => expect(markets).not.toEqual([]), within);
  expect(new Set(markets)).toEqual(new Set(['halted']));
}, 60_000);

it('publishes statuses although its user may not read those of earlier gateways', async () => {
  const others = ['PRICE_DATA', 'FEED_STATUS', 'TRADES', 'BROKER_ATTEMPTS', 'PRESENCE'];
  const keys = others.map((name) => `~tickbus:{${name}}:*`).join(' ');
  const unread = '(~tickbus:{INSTRUMENT_STATUS}:* +@all -hscan)';
  await testbed.redis.answers(`ACL SETUSER blind on >secret &* ${keys} +@all ${unread}`);
  const { host, port } = testbed.address;
  const connection = new RedisConnection({ url: `redis://blind:secret@${host}:${port}`, logger: SILENT });
  testbed.cleanUps.push(() => connection.close());
  await testbed.startGateway({ ...OPTIONS, connection, createFeed: async () => new PickyFeed() });
  const { statuses } = await openLink();
  await vi.waitFor(async () => expect(await statuses()).toEqual([expect.stringContaining('"AAPL"')]), within);
}, 60_000);

// Demand of hostile or broken bots: the gateway keeps its lease, serves other bots, and reports what it leaves out.

import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { beforeEach, expect, it, vi } from 'vitest';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { collect, SILENT, trade } from './gateway.fixture.ts';
import { PickyFeed } from './picky-feed.fixture.ts';

const testbed = useEmbeddedGateways();
beforeEach(() => testbed.redis.answers(`DEL ${DEMAND_KEY}`));

const DEMAND_KEY = 'tickbus:{PRICE_DATA}:demand';

/** Requests X0, X1, ... as one subscriber. */
async function flood(subscriberId: string, count: number): Promise<void> {
  const connection = new RedisConnection({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => connection.close());
  await connection.publishing.connect();
  const keys = Array.from({ length: count }, (_, index) => `X${index}`);
  await connection.publishing.demand(CHANNELS.PRICE_DATA).declare(subscriberId, keys, 600_000);
}

/** Requests MSFT. Returns the states that the gateway reports for MSFT. */
async function startHonestBot(): Promise<readonly string[]> {
  const states: string[] = [];
  const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => bot.close());
  collect(bot, CHANNELS.INSTRUMENT_STATUS, ({ data }) => {
    if (data.symbol === 'MSFT') states.push(data.state);
  });
  bot.subscribe(CHANNELS.PRICE_DATA, () => {}, { keys: ['MSFT'] });
  await bot.startListening();
  return states;
}

it('keeps the lease and serves others when a bot requests 20,000 unknown symbols', async () => {
  const feed = new PickyFeed();
  const options = {
    createFeed: async () => feed,
    symbols: ['AAPL'],
    leaseTtlMs: 5_000,
    demandIntervalMs: 50,
  };
  const gateway = await testbed.startGateway(options);
  await testbed.nextStatus('live');
  await flood('flood', 20_000);
  await vi.waitFor(() => expect(gateway.stats.refused).toBe(20_000), 60_000);
  const instruments = await startHonestBot();
  await vi.waitFor(() => expect(instruments.at(-1)).toBe('subscribed'), 60_000);
  feed.listener?.onFrame([trade(5, 'MSFT'), trade(8, 'AAPL')]);
  await testbed.prices.until(({ data }) => data.price === 8);
  expect(gateway.stats).toMatchObject({
    takeOvers: 1,
    role: 'active',
    leftOut: 0,
  });
  expect(gateway.stats.failures).not.toHaveProperty('TICKBUS_BACKLOG_FULL');
}, 90_000);

it('keeps the symbols that were requested first at its limit, and reports the rest', async () => {
  const feed = new PickyFeed();
  const gateway = await testbed.startGateway({
    createFeed: async () => feed,
    symbols: ['AAPL'],
    demandLimit: 10,
    demandIntervalMs: 50,
    statusIntervalMs: 50,
  });
  await startHonestBot();
  await vi.waitFor(() => expect(feed.symbols).toContain('MSFT'), 50_000);
  await flood('flood', 1_000);
  const { detail } = await testbed.statuses.until((status) => status.detail !== undefined);
  expect(detail).toContain('Bots request 991 symbols more than the limit of 10');
  expect(gateway.stats.leftOut).toBe(991);
  expect(feed.symbols).toHaveLength(11);
  expect(feed.symbols).toContain('MSFT');
});

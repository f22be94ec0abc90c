// A gateway that splits PRICE_DATA: bots with keys receive only their partitions, and verdicts stay correct.

import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { RedisConnection } from 'tickbus/connection';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { expect, it, vi } from 'vitest';
import type { Gateway } from '../gateway.ts';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { AT, SILENT, trade } from './gateway.fixture.ts';

const testbed = useEmbeddedGateways();
const { PRICE_DATA } = CHANNELS;

it('publishes in partitions, a standby takes over all of them, and another gateway returns to one', async () => {
  const connection = new RedisConnection({ ...testbed.address, logger: SILENT });
  await useLeasesOnce(connection, PRICE_DATA, 1, 4);
  await connection.close();
  const active = await testbed.startGateway({ partitions: 4 });
  const bot = new RedisSubscriber({ ...testbed.address, logger: SILENT });
  testbed.cleanUps.push(() => bot.close());
  bot.subscribe(PRICE_DATA, () => {}, { keys: ['AAPL'] });
  await bot.startListening();
  const isFresh = (price: number) =>
    vi.waitFor(
      () => expect(bot.requireFresh(PRICE_DATA, 'AAPL', { maxAgeMs: 10_000 }).data.price).toBe(price),
      10_000,
    );
  const isLive = (gateway: Gateway) =>
    vi.waitFor(() => expect(gateway.stats.feed?.state).toBe('live'), 50_000);
  await isLive(active);
  testbed.market.push(trade(101), trade(50, 'MSFT'));
  await isFresh(101);
  expect(bot.status(PRICE_DATA)?.partitions).toBe(4);
  expect(bot.latest(PRICE_DATA, 'MSFT').message).toBeUndefined();

  const standby = testbed.newGateway({ partitions: 4 });
  await standby.start();
  await active.stop();
  await isLive(standby);
  // Older than the last price, so it is late; it may be a trade that the venue sends again.
  testbed.market.push({ ...trade(99), timestamp: AT - 1 }, { ...trade(102), timestamp: AT + 1 });
  await isFresh(102);

  const undivided = testbed.newGateway({ partitions: 1 });
  await undivided.start();
  await standby.stop();
  await isLive(undivided);
  testbed.market.push({ ...trade(103), timestamp: AT + 2 });
  await isFresh(103);
  expect(bot.status(PRICE_DATA)?.partitions).toBe(1);
  expect(standby.stats.dropped.late).toBe(1);
});

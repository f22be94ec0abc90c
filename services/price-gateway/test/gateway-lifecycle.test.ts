// Start, standby, takeover, loss of Redis, and stop.

import { RedisConnection } from 'tickbus/connection';
import { expect, it, vi } from 'vitest';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { SILENT, trade } from './gateway.fixture.ts';

const testbed = useEmbeddedGateways();

it('keeps a second gateway on standby, which takes over when the first one stops', async () => {
  const first = await testbed.startGateway();
  await testbed.nextStatus('live');
  const second = await testbed.startGateway();
  expect(second.readiness).toEqual({ ready: true, role: 'standby', redis: 'connected' });
  expect(second.stats).toMatchObject({ role: 'standby', feed: undefined });
  await first.stop();
  await vi.waitFor(() => expect(second.stats.feed?.state).toBe('live'), 50_000);
  expect(second.readiness).toEqual({ ready: true, role: 'active', redis: 'connected', feed: 'live' });
  testbed.market.push(trade(3));
  await testbed.prices.until(({ data }) => data.price === 3);
  expect(testbed.broker.stats).toMatchObject({ maxConcurrent: 1, accepted: 2, refused: 0 });
});

it('disconnects from the broker when the lease expires without Redis, and reconnects with Redis', async () => {
  const gateway = await testbed.startGateway();
  await testbed.nextStatus('live');
  await testbed.redis.kill();
  await vi.waitFor(() => expect(testbed.broker.stats.connections).toBe(0), 50_000);
  expect(gateway.readiness).toEqual({ ready: false, role: 'standby', redis: 'disconnected' });
  const before = testbed.statuses.all.length;
  await testbed.redis.start();
  await testbed.nextStatus('live', before);
  testbed.market.push(trade(2));
  await testbed.prices.until(({ data }) => data.price === 2);
  expect(testbed.prices.all.map(({ data }) => data.price)).toEqual([2]);
});

it('on stop, closes the feed, settles every price, and then publishes `stopped`', async () => {
  const gateway = await testbed.startGateway();
  await testbed.nextStatus('live');
  testbed.market.push(...Array.from({ length: 500 }, (_, index) => trade(index + 1)));
  await vi.waitFor(() => expect(gateway.stats.events).toBe(500), 50_000);
  await Promise.all([gateway.stop(), gateway.stop()]);
  expect(testbed.broker.stats.connections).toBe(0);
  const { published, failures } = gateway.stats;
  expect({ published, failures }).toEqual({ published: 500, failures: {} });
  await testbed.nextStatus('stopped');
  expect(testbed.statuses.all.map(({ state }) => state).slice(-2)).toEqual(['stopping', 'stopped']);
});

it('does not connect to the broker without Redis', async () => {
  const connection = new RedisConnection({ host: '127.0.0.1', port: 1, logger: SILENT });
  const gateway = testbed.newGateway({ connection });
  await expect(gateway.start()).rejects.toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
  await gateway.stop();
  expect(testbed.broker.stats).toMatchObject({ accepted: 0, refused: 0 });
});

it('does not start with a feed that cannot be created', async () => {
  const gateway = testbed.newGateway({ createFeed: () => Promise.reject(new Error('Install ccxt.')) });
  await expect(gateway.start()).rejects.toThrow('Install ccxt.');
});

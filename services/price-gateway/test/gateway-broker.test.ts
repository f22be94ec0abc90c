// Failures of the broker: refused, dropped and silent connections, and the budget of attempts.

import { expect, it } from 'vitest';
import { createAlpacaFeed } from '../feeds/alpaca-feed.ts';
import type { FeedState } from '../feeds/feed.ts';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';
import { CREDENTIALS, trade } from './gateway.fixture.ts';

const testbed = useEmbeddedGateways();

it('reports that another program holds the connection, and connects when that one leaves', async () => {
  const rival = createAlpacaFeed({ url: testbed.broker.url, ...CREDENTIALS });
  testbed.cleanUps.push(() => rival.close());
  await new Promise<void>((resolve) => {
    const ignore = () => {};
    const onState = ({ type }: FeedState) => type === 'live' && resolve();
    const ignoring = { onFrame: ignore, onInvalidFrame: ignore, onRefused: ignore, onSubscribed: ignore };
    rival.start({ ...ignoring, onState, mayConnect: async () => {} });
  });
  const gateway = await testbed.startGateway();
  const { detail } = await testbed.nextStatus('down');
  expect(detail).toMatch(/^The broker answered 406 connection limit exceeded\. .* Retrying in 20 ms\.$/);
  expect(gateway.readiness).toMatchObject({ ready: false, role: 'active', feed: 'down' });
  await rival.close();
  await testbed.nextStatus('live');
  expect(gateway.stats.brokerErrors[406]).toBeGreaterThanOrEqual(1);
  expect(testbed.broker.stats.maxConcurrent).toBe(1);
});

it('makes no more connection attempts than the budget allows', async () => {
  // A restarted Redis forgets the attempts of earlier tests.
  await testbed.redis.kill();
  await testbed.redis.start();
  testbed.broker.faults.failAuthentication(406);
  const gateway = await testbed.startGateway({ connectLimit: 3 });
  const { detail } = await testbed.statuses.until(({ detail }) => /Retrying in \d{5} ms/.test(detail ?? ''));
  expect(detail).toMatch(
    /^The broker answered 406 .* The limit of connection attempts \(CONNECT_LIMIT\) is reached\. Retrying/,
  );
  expect(gateway.stats.attempts).toBe(3);
  await gateway.stop();
  // Another gateway shares the budget.
  const next = await testbed.startGateway({ connectLimit: 3 });
  await testbed.statuses.until(
    ({ state, detail }) => state === 'connecting' && /^The limit of connection attempts/.test(detail ?? ''),
  );
  expect(next.stats.attempts).toBe(0);
  expect(testbed.broker.stats).toMatchObject({ accepted: 0 });
});

it('reports a wrong key and does not retry', async () => {
  const createFeed = async () =>
    createAlpacaFeed({ url: testbed.broker.url, key: 'local-key', secret: 'wrong' });
  await testbed.startGateway({ createFeed });
  const { detail } = await testbed.nextStatus('down');
  expect(detail).toMatch(/^The broker answered 402 auth failed\. Check the key .* Not retrying\.$/);
});

it('reports a dropped connection as down, and reconnects', async () => {
  await testbed.startGateway();
  await testbed.nextStatus('live');
  testbed.broker.faults.drop();
  expect((await testbed.nextStatus('down')).detail).toBe(
    'The broker closed the connection. Retrying in 20 ms.',
  );
  await testbed.nextStatus('live', testbed.statuses.all.length);
  testbed.market.push(trade(4));
  await testbed.prices.until(({ data }) => data.price === 4);
});

it('reconnects after a prolonged silence of the broker', async () => {
  await testbed.startGateway({ silentAfterMs: 100, reconnectSilentMs: 300 });
  await testbed.nextStatus('live');
  testbed.broker.faults.sendHalfFrame();
  await testbed.nextStatus('silent');
  const { detail } = await testbed.nextStatus('down');
  expect(detail).toBe('No frame received for 300 ms. Retrying in 20 ms.');
  testbed.broker.faults.recover();
  await testbed.nextStatus('live', testbed.statuses.all.length);
  testbed.market.push(trade(6));
  await testbed.prices.until(({ data }) => data.price === 6);
  expect(testbed.broker.stats.maxConcurrent).toBe(1);
});

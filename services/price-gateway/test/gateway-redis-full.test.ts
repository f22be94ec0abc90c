// Readiness while Redis rejects writes: not ready, with the reason; ready again afterwards.

import { startLocalRedis } from '@tickbus/local-redis';
import { expect, it, vi } from 'vitest';
import { useEmbeddedGateways } from './embedded-gateway.fixture.ts';

const testbed = useEmbeddedGateways();

it.each([
  ['its memory is full', /OOM/, 'CONFIG SET maxmemory 1', 'CONFIG SET maxmemory 0'],
  [
    'it lacks replicas',
    /NOREPLICAS/,
    'CONFIG SET min-replicas-to-write 1',
    'CONFIG SET min-replicas-to-write 0',
  ],
  ['it is a replica', /READONLY/, 'REPLICAOF 127.0.0.1 1', 'REPLICAOF NO ONE'],
])(
  'is not ready while Redis rejects writes because %s, and recovers',
  async (_, reason, reject, accept) => {
    const gateway = await testbed.startGateway();
    const standby = await testbed.startGateway();
    await testbed.nextStatus('live');
    const gateways = [gateway, standby];
    const readyOnes = () => gateways.filter(({ readiness }) => readiness.ready).length;
    await vi.waitFor(() => expect(readyOnes()).toBe(2), 50_000);
    await testbed.redis.answers(reject);
    // First the heartbeat fails; then the lease expires, and neither gateway can acquire the lease.
    await vi.waitFor(() => expect(readyOnes()).toBe(0), 50_000);
    for (const { readiness } of gateways)
      expect(readiness).toMatchObject({ redis: 'connected', detail: expect.stringMatching(reason) });
    await vi.waitFor(
      () => expect(gateways.map(({ stats }) => stats.role)).toEqual(['standby', 'standby']),
      20_000,
    );
    expect(readyOnes()).toBe(0);
    await testbed.redis.answers(accept);
    await vi.waitFor(() => expect(readyOnes()).toBe(2), 50_000);
    await vi.waitFor(
      () => expect(gateways.some(({ stats }) => stats.feed?.state === 'live')).toBe(true),
      20_000,
    );
  },
  60_000,
);

it('stays on standby, not ready, until enough replicas can confirm its lease', async () => {
  const gateway = await testbed.startGateway({ leaseReplicas: 1 });
  const detail = expect.stringMatching(/PRICE_DATA .*needs 1 replica, and 0 are connected/);
  await vi.waitFor(
    () => expect(gateway.readiness).toMatchObject({ ready: false, role: 'standby', detail }),
    20_000,
  );
  const args = ['--replicaof', testbed.redis.host, String(testbed.redis.port)];
  const replica = await startLocalRedis({ args });
  testbed.cleanUps.push(() => replica.kill());
  await testbed.nextStatus('live');
  expect(gateway.readiness).toMatchObject({ ready: true, role: 'active' });
}, 60_000);

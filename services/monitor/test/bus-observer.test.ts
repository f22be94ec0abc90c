// The watch on a real Redis that refuses its password while it runs: it begins anew when the password is right again.

import { startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { RedisConnection } from 'tickbus/connection';
import { expect, it } from 'vitest';
import { BusObserver } from '../bus-observer.ts';
import { eventually } from './monitor.fixture.ts';

it('begins anew after its link was given up', async () => {
  await using redis = await startLocalRedis();
  const setPassword = (password: string) =>
    redis.answers(`ACL SETUSER monitor on resetpass >${password} allchannels ~* +@all`);
  await setPassword('secret');
  await using connection = new RedisConnection({
    url: redis.url.replace('//', '//monitor:secret@'),
    logger: silentLogger,
  });
  const told: string[] = [];
  connection.subscribing.onStatus(({ type }) => told.push(type));
  const about = { redis: 'here', canSend: false, maxAgeMs: 5_000, version: '0' };
  const watch = new BusObserver({ connection, about, logger: silentLogger, refusedRetryMs: 20 });
  watch.start();
  await eventually(() => expect(told).toEqual(['connecting', 'connected']));
  await setPassword('another');
  await redis.answers('CLIENT KILL USER monitor');
  // Given up, and tried again in vain.
  await eventually(() => expect(told.filter((type) => type === 'failed').length).toBeGreaterThan(1));
  await setPassword('secret');
  await eventually(() => expect(told.at(-1)).toBe('connected'));
  await watch.close();
});

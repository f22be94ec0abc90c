// BusObserver on a real Redis that rejects the password during operation.

import { startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { RedisConnection } from 'tickbus/connection';
import { expect, it } from 'vitest';
import { BusObserver } from '../bus-observer.ts';
import { eventually } from './monitor.fixture.ts';

it('reconnects after a permanent connection failure, which it logs once', async () => {
  await using redis = await startLocalRedis();
  const setPassword = (password: string) =>
    redis.answers(`ACL SETUSER monitor on resetpass >${password} allchannels ~* +@all`);
  await setPassword('secret');
  await using connection = new RedisConnection({
    url: redis.url.replace('//', '//monitor:secret@'),
    logger: silentLogger,
  });
  const received: string[] = [];
  connection.subscribing.onStatus(({ type }) => received.push(type));
  const about = { redis: 'here', canSend: false, commands: [], maxAgeMs: 5_000, version: '0' };
  const failures: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (_: object | string, text = '') => void (text.includes('WRONGPASS') && failures.push(text)),
  };
  const observer = new BusObserver({ connection, about, logger, refusedRetryMs: 20 });
  observer.start();
  await eventually(() => expect(received).toEqual(['connecting', 'connected']));
  await setPassword('another');
  await redis.answers('CLIENT KILL USER monitor');
  // Waits for a failed retry.
  await eventually(() => expect(received.filter((type) => type === 'failed').length).toBeGreaterThan(1));
  expect(failures).toHaveLength(1);
  await setPassword('secret');
  await eventually(() => expect(received.at(-1)).toBe('connected'));
  await observer.close();
});

// What the monitor knows of programs after its own link was cut: who ended meanwhile, and who is still there.

import { TcpProxy } from '@tickbus/fault-kit/proxy';
import { startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { Random } from '@tickbus/test-kit/random';
import { defineBot } from 'tickbus/bot';
import { RedisConnection } from 'tickbus/connection';
import { expect, it } from 'vitest';
import { BusObserver } from '../bus-observer.ts';
import { eventually } from './monitor.fixture.ts';

it('forgets a bot that ended while its link was cut, so that the successor is no second copy', async () => {
  await using redis = await startLocalRedis();
  await using proxy = await TcpProxy.start({ port: redis.port, random: new Random(1) });
  await using connection = new RedisConnection({
    url: redis.url.replace(String(redis.port), String(proxy.port)),
    logger: silentLogger,
  });
  const about = { redis: 'here', canSend: false, commands: [], maxAgeMs: 5_000, version: '0' };
  const observer = new BusObserver({ connection, about, logger: silentLogger });
  observer.start();
  const names = () => observer.state.programs.map(({ name }) => name).sort();
  const newBot = (name: string) => defineBot({ name, url: redis.url, logger: silentLogger });
  await using other = newBot('other');
  await using first = newBot('momentum');
  await Promise.all([other.start(), first.start()]);
  await eventually(() => expect(names()).toEqual(['momentum', 'monitor', 'other']));
  proxy.refuse();
  proxy.reset();
  await first.stop();
  await using successor = newBot('momentum');
  await successor.start();
  const before = observer.state.programs.find(({ name }) => name === 'momentum')?.instance;
  proxy.heal();
  await eventually(() => {
    expect(names()).toEqual(['momentum', 'monitor', 'other']);
    expect(observer.state.programs.map(({ instance }) => instance)).not.toContain(before);
  });
  await observer.close();
});

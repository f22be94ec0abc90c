// RedisAdmin on a cluster: it asks the node of each channel.

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RedisAdmin } from '../../../admin.ts';
import { RedisPublisher } from '../../../publisher.ts';
import { RedisSubscriber } from '../../../subscriber.ts';
import { ALERTS, FILLS, PRICES } from '../../channels.fixture.ts';

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

it('reports the channels of all nodes', async () => {
  const { url } = cluster;
  const channels = [FILLS, ALERTS, PRICES];
  const names = channels.map(({ name }) => name);
  expect(new Set(await Promise.all(names.map((name) => cluster.ownerOf(name)))).size).toBe(3);
  const publisher = new RedisPublisher({ url, logger });
  const subscriber = new RedisSubscriber({ url, logger });
  for (const channel of channels) subscriber.subscribe(channel, () => {});
  await subscriber.startListening();
  await publisher.publish(FILLS, { n: 1 });
  await publisher.publish(PRICES, { symbol: 'A', price: 1 });
  await using admin = new RedisAdmin({ url, logger });
  await admin.connect();
  expect((await admin.activeChannels()).sort()).toEqual([...names].sort());
  expect(await admin.channels(names)).toMatchObject([
    { channel: FILLS.name, subscribers: 1, history: 1, position: { seq: 1 } },
    { channel: ALERTS.name, subscribers: 1, position: undefined },
    { channel: PRICES.name, subscribers: 1, keys: 1, position: { seq: 1 } },
  ]);
  expect(await admin.inspect()).toMatchObject({ mode: 'cluster', role: 'master' });
  const permissions = await admin.permissions(channels);
  expect(permissions.every(({ isAllowed }) => isAllowed)).toBe(true);
  expect(permissions.map(({ command }) => command[0])).toContain('SPUBLISH');
  await subscriber.close();
  await publisher.close();
});

// While the node of a channel is down: publishes are refused at once, and links recover by themselves.

import { type ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import { errorOf, silentLogger as logger } from '@tickbus/test-kit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RedisPublisher } from '../../../publisher.ts';
import { RedisSubscriber } from '../../../subscriber.ts';
import { ALERTS, FILLS } from '../../channels.fixture.ts';
import { closeAfterEach, untilAccepted } from '../integration.fixture.ts';

let cluster: LocalCluster;
let owner: ClusterNode;
const closing = closeAfterEach();
beforeEach(async () => {
  cluster = await LocalCluster.start({ args: ['--cluster-require-full-coverage', 'no'] });
  owner = await cluster.ownerOf(FILLS.name);
});
afterEach(() => cluster[Symbol.asyncDispose]());

it('a channel whose node is down from the start is refused at once, and its link is retried', async () => {
  await owner.server.kill();
  const publisher = new RedisPublisher({ url: cluster.url, logger });
  closing.push(() => publisher.close());
  expect(await errorOf(publisher.publish(FILLS, { n: 1 }))).toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
  expect(await errorOf(publisher.publish(FILLS, { n: 2 }))).toMatchObject({ code: 'TICKBUS_NOT_CONNECTED' });
  expect(await publisher.publish(ALERTS, { n: 3 })).toMatchObject({ position: { seq: 1 } });
  await owner.server.start();
  expect(await untilAccepted(() => publisher.publish(FILLS, { n: 4 }))).toMatchObject({
    position: { seq: 1 },
  });
});

it('a subscriber that adds such a channel while it listens gets it when the node is back', async () => {
  const subscriber = new RedisSubscriber({ url: cluster.url, logger });
  closing.push(() => subscriber.close());
  await subscriber.startListening();
  await owner.server.kill();
  const states: string[] = [];
  const live = new Promise<void>((resolve) => {
    subscriber.on('status', (status) => {
      if ('channel' in status && status.channel === FILLS.name) states.push(status.type);
      if (status.type === 'live') resolve();
    });
  });
  const received = new Promise<number>((resolve) => {
    subscriber.subscribe(FILLS, ({ data }) => resolve(data.n));
  });
  while (!states.includes('disconnected')) await new Promise((resolve) => setImmediate(resolve));
  await owner.server.start();
  await live;
  const publisher = new RedisPublisher({ url: cluster.url, logger });
  closing.push(() => publisher.close());
  await publisher.publish(FILLS, { n: 7 });
  expect(await received).toBe(7);
  expect(states).toContain('connected');
});

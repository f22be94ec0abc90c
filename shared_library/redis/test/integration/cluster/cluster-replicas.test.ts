// Publishers with `replicas` on a cluster: what is accepted survives its master.

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { errorOf, silentLogger as logger } from '@tickbus/test-kit';
import { leasedPublisher } from '@tickbus/test-kit/leases';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { RedisPublisher } from '../../../publisher.ts';
import { closeAfterEach, connectPlainClient, untilAccepted } from '../integration.fixture.ts';
import { FILLS, LEASED } from './cluster-traffic.fixture.ts';

const TEST_TIMEOUT_MS = 60_000;
const OPTIONS = { replicas: 1, deadlineMs: 2_000 };
const BEFORE_THE_KILL = 200;

let cluster: LocalCluster;
const closing = closeAfterEach();
beforeAll(async () => {
  cluster = await LocalCluster.start({ replicas: 1 });
});
afterEach(() => cluster.heal());
afterAll(() => cluster[Symbol.asyncDispose]());

async function sharedPublisher(): Promise<RedisPublisher> {
  const publisher = new RedisPublisher({ url: cluster.url, logger, ...OPTIONS });
  onTestFinished(() => publisher.close());
  return publisher;
}

async function exclusivePublisher(): Promise<RedisPublisher> {
  const leased = await leasedPublisher(LEASED, cluster.url, OPTIONS);
  onTestFinished(() => leased[Symbol.asyncDispose]());
  return leased.publisher;
}

describe.each([
  ['a shared writer', FILLS, sharedPublisher],
  ['an exclusive writer', LEASED, exclusivePublisher],
])('%s', (_, channel, createPublisher) => {
  it(
    'reports a message as unknown while the replica of its node hangs',
    async () => {
      const publisher = await createPublisher();
      await publisher.publish(channel, { key: 'A', n: 0 });
      // After another test, the nodes may take a moment to see that the replica is back.
      const replica = await untilAccepted(async () => cluster.replicaOf(await cluster.ownerOf(channel.name)));
      replica.server.pause();
      expect(await errorOf(publisher.publish(channel, { key: 'A', n: 0 }))).toMatchObject({
        code: 'TICKBUS_OUTCOME_UNKNOWN',
        message: expect.stringContaining('0 of 1 replica confirmed it within 1800 ms'),
      });
      replica.server.resume();
      await untilAccepted(() => publisher.publish(channel, { key: 'A', n: 0 }));
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'has every accepted message at the promoted replica when its master is killed',
    async () => {
      const publisher = await createPublisher();
      const master = await cluster.ownerOf(channel.name);
      const accepted: number[] = [];
      let isKilled: Promise<void> | undefined;
      for (let n = 1; accepted.length < BEFORE_THE_KILL || isKilled === undefined; n++) {
        void publisher.publish(channel, { key: 'A', n }).then(
          () => accepted.push(n),
          () => {},
        );
        if (accepted.length >= BEFORE_THE_KILL) isKilled = master.server.kill();
        await new Promise((resolve) => setImmediate(resolve));
      }
      await isKilled;
      const promoted = await cluster.untilOwnerIsNot(master, channel.name);
      const client = await connectPlainClient(promoted.server.url, closing);
      // The promoted node refuses to answer until it sees the cluster as complete.
      const history = await untilAccepted(() => client.xRange(`tickbus:{${channel.name}}:history`, '-', '+'));
      const kept = new Set((history ?? []).map(({ message }) => JSON.parse(String(message.m)).data.n));
      expect(accepted.length).toBeGreaterThanOrEqual(BEFORE_THE_KILL);
      expect(accepted.filter((n) => !kept.has(n))).toEqual([]);
    },
    TEST_TIMEOUT_MS,
  );
});

// Publishes, leases and demand on a node that does not serve the channel now: nothing is done, and a retry can succeed.

import { type ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import { errorOf, silentLogger as logger } from '@tickbus/test-kit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RedisConnection } from '../../../connection.ts';
import { RedisPublisher } from '../../../publisher.ts';
import { COMMANDS, FILLS, GATEWAY_PRICES } from '../../channels.fixture.ts';
import { closeAfterEach, untilAccepted } from '../integration.fixture.ts';

let cluster: LocalCluster;
const closing = closeAfterEach();
beforeEach(async () => {
  cluster = await LocalCluster.start({ nodeTimeoutMs: 500 });
});
afterEach(() => cluster[Symbol.asyncDispose]());

function connect(): RedisConnection {
  const connection = new RedisConnection({ url: cluster.url, logger });
  closing.push(() => connection.close());
  return connection;
}

async function expectRefused(call: Promise<unknown>, reply: RegExp): Promise<void> {
  expect(await errorOf(call)).toMatchObject({
    code: 'TICKBUS_NOT_CONNECTED',
    retryable: true,
    message: expect.stringMatching(reply),
  });
}

it('a publish while the slot moves, and after it has moved', async () => {
  const publisher = new RedisPublisher({ connection: connect() });
  closing.push(() => publisher.close());
  await publisher.publish(FILLS, { n: 1 });
  const target = await cluster.ownerOf('elsewhere');
  const steps: string[] = [];
  await cluster.migrate(FILLS.name, target, async (step) => {
    steps.push(step);
    await expectRefused(
      publisher.publish(FILLS, { n: 2 }),
      /nothing was done: (ASK|TRYAGAIN).*Retry when the move is complete/,
    );
  });
  expect(steps).toContain('prepared');
  expect(steps).toContain('keys');
  await expectRefused(publisher.publish(FILLS, { n: 3 }), /MOVED|is down/);
  const { position } = await untilAccepted(() => publisher.publish(FILLS, { n: 4 }));
  // A new epoch, in which no refused message has a number.
  expect(position?.seq).toBe(1);
});

it('a lease and the demand while the slots move', async () => {
  const { publishing } = connect();
  const [lease, demand] = [publishing.lease(COMMANDS), publishing.demand(GATEWAY_PRICES)];
  await lease.acquire(60_000);
  await demand.declare('me', ['A'], 60_000);
  const refusedWhileMoving = async (name: string, call: () => Promise<unknown>) => {
    const owner = await cluster.ownerOf(name);
    const [target] = cluster.nodes.filter((node) => node !== owner) as [ClusterNode];
    await cluster.migrate(name, target, async (step) => {
      if (step === 'keys') await expectRefused(call(), /nothing was done: (ASK|TRYAGAIN)/);
    });
  };
  await refusedWhileMoving(COMMANDS.name, () => lease.acquire(60_000));
  await refusedWhileMoving(GATEWAY_PRICES.name, () => demand.declare('me', ['B'], 60_000));
  await untilAccepted(() => demand.declare('me', ['B'], 60_000));
  expect([...(await demand.wanted()).keys()].sort()).toEqual(['A', 'B']);
});

it('a lease that needs a replica, on a master without one', async () => {
  const { publishing } = connect();
  for (const channel of [FILLS, COMMANDS])
    expect(await errorOf(publishing.lease(channel, 1).acquire(1_000))).toMatchObject({
      message: expect.stringMatching(/needs 1 replica, and 0 are connected to the master/),
    });
});

it('a publish while another part of the cluster is down, with full coverage required', async () => {
  const publisher = new RedisPublisher({ connection: connect() });
  closing.push(() => publisher.close());
  await publisher.publish(FILLS, { n: 1 });
  const owner = await cluster.ownerOf(FILLS.name);
  const other = cluster.nodes.find((node) => node !== owner);
  await other?.server.kill();
  for (;;) {
    const error = await errorOf(publisher.publish(FILLS, { n: 2 })).catch(() => undefined);
    if (error === undefined) continue;
    await expectRefused(Promise.reject(error), /nothing was done: CLUSTERDOWN.*Retry later/);
    break;
  }
  await other?.server.start();
  await untilAccepted(() => publisher.publish(FILLS, { n: 3 }));
});

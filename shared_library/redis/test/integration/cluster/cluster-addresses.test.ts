// Addresses of a cluster that are wrong in part or as a whole, and clusters that serve a channel not at all.

import { freePort, startLocalRedis } from '@tickbus/local-redis';
import { type ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import { errorOf, silentLogger as logger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisConnection } from '../../../connection.ts';
import { TickbusError } from '../../../errors.ts';
import { RedisPublisher } from '../../../publisher.ts';
import { keySlot } from '../../../transport/redis/cluster/key-slot.ts';
import { ALERTS, FILLS } from '../../channels.fixture.ts';
import { closeAfterEach, untilAccepted } from '../integration.fixture.ts';

const closing = closeAfterEach();

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

const urlOf = (...ports: number[]) => `redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`;

function publisherAt(url: string): RedisPublisher {
  const publisher = new RedisPublisher({ url, logger });
  closing.push(() => publisher.close());
  return publisher;
}

async function connectErrorAt(url: string): Promise<TickbusError> {
  const connection = new RedisConnection({ url, logger });
  closing.push(() => connection.close());
  const error = await errorOf(connection.publishing.connect());
  expect(error).toBeInstanceOf(TickbusError);
  return error as TickbusError;
}

describe('the nodes of the address', () => {
  it('may be dead, except one', async () => {
    const [node] = cluster.nodes as [ClusterNode];
    const publisher = publisherAt(urlOf(await freePort(), await freePort(), await freePort(), node.port));
    expect(await publisher.publish(FILLS, { n: 1 })).toMatchObject({ position: { seq: expect.any(Number) } });
  });

  it('may be a paused one beside a live one', async () => {
    const [node] = cluster.nodes as [ClusterNode];
    await using hanging = await startLocalRedis();
    hanging.pause();
    const publisher = publisherAt(urlOf(hanging.port, node.port));
    expect(await publisher.publish(FILLS, { n: 1 })).toMatchObject({ position: { seq: expect.any(Number) } });
    hanging.resume();
  });

  it('that are all dead are reported together', async () => {
    const [one, two] = [await freePort(), await freePort()];
    const { code, message, retryable } = await connectErrorAt(urlOf(one, two));
    expect([code, retryable]).toEqual(['TICKBUS_CONNECT_FAILED', true]);
    expect(message).toContain(`No node of the cluster at ${urlOf(one, two)} says who serves which channel`);
    for (const port of [one, two])
      expect(message).toContain(
        `Cannot connect to Redis at redis://127.0.0.1:${port}: the connection was refused`,
      );
  });

  it('are rejected if they are no cluster', async () => {
    await using server = await startLocalRedis();
    const { code, message } = await connectErrorAt(urlOf(server.port));
    expect(code).toBe('TICKBUS_CONNECT_FAILED');
    expect(message).toContain(`redis://127.0.0.1:${server.port} is not a node of a cluster`);
    expect(message).toContain('Use redis:// for a single server');
  });

  it('must accept the credentials', async () => {
    const [node] = cluster.nodes as [ClusterNode];
    const { code, message } = await connectErrorAt(`redis+cluster://bot:secret@127.0.0.1:${node.port}`);
    expect(code).toBe('TICKBUS_AUTH_FAILED');
    expect(message).not.toContain('secret');
  });
});

it('a user who may not look up the nodes gets an error that names the command', async () => {
  const [node] = cluster.nodes as [ClusterNode];
  await node.server.answers('ACL SETUSER bot on >secret ~* &* +@all -cluster');
  const { code, message } = await connectErrorAt(`redis+cluster://bot:secret@127.0.0.1:${node.port}`);
  expect(code).toBe('TICKBUS_DENIED');
  expect(message).toMatch(/cluster/i);
});

it('a redis:// address of one node leads to an error that says what to use', async () => {
  const owner = await cluster.ownerOf(FILLS.name);
  const other = cluster.nodes.find((node) => node !== owner) as ClusterNode;
  const error = await errorOf(publisherAt(`redis://127.0.0.1:${other.port}`).publish(FILLS, { n: 1 }));
  expect(error).toMatchObject({
    code: 'TICKBUS_SERVER_ERROR',
    message: expect.stringContaining('use redis+cluster://'),
  });
});

describe('a channel', () => {
  it('whose slot nobody owns is reported with its slot, and the others work', async () => {
    const slot = keySlot(FILLS.name);
    await using broken = await LocalCluster.start({ args: ['--cluster-require-full-coverage', 'no'] });
    const owner = await broken.ownerOf(FILLS.name);
    // The owner first, because it announces the slots that it has.
    for (const { server } of [owner, ...broken.nodes]) await server.answers(`CLUSTER DELSLOTS ${slot}`);
    const publisher = publisherAt(broken.url);
    const error = await errorOf(publisher.publish(FILLS, { n: 1 }));
    expect(error).toMatchObject({
      code: 'TICKBUS_SERVER_ERROR',
      message: expect.stringContaining(`serves slot ${slot} of ${FILLS.name}`),
    });
    expect(await publisher.publish(ALERTS, { n: 1 })).toMatchObject({ position: { seq: 1 } });
    await owner.server.answers(`CLUSTER ADDSLOTS ${slot}`);
    expect(await untilAccepted(() => publisher.publish(FILLS, { n: 2 }))).toMatchObject({
      position: { seq: 1 },
    });
  });

  it('whose node has a name that does not resolve is reported with the name', async () => {
    await using named = await LocalCluster.start({
      args: ['--cluster-announce-hostname', 'node.invalid', '--cluster-preferred-endpoint-type', 'hostname'],
    });
    const error = await errorOf(publisherAt(named.url).publish(FILLS, { n: 1 }));
    expect(error).toMatchObject({
      code: 'TICKBUS_CONNECT_FAILED',
      message: expect.stringMatching(/announces node\.invalid.*cannot resolve.*cluster-announce-ip/),
    });
  });
});

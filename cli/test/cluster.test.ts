// The command on a cluster, with the address of one of its nodes, and with addresses that do not work.

import { freePort, startLocalRedis } from '@tickbus/local-redis';
import { type ClusterNode, LocalCluster } from '@tickbus/local-redis/cluster';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, jsonLines, killCommands, startTickbus, tickbus } from './harness.ts';

const PRICE = '{"symbol":"A","price":1,"timestamp":0}';

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start({ args: ['--cluster-require-full-coverage', 'no'] });
});
afterAll(async () => {
  killCommands();
  await cluster[Symbol.asyncDispose]();
});

it('sub prints the messages that pub publishes, on channels of different nodes', async () => {
  const url = urlOf((cluster.nodes as [ClusterNode])[0].port);
  const owners = ['PRICE_DATA', 'TRADE_COMMANDS'].map((name) => cluster.ownerOf(name));
  expect(new Set(await Promise.all(owners)).size).toBe(2);
  const sub = startTickbus(['--url', url, 'sub', 'PRICE_DATA', 'TRADE_COMMANDS', '-n', '2', '-v']);
  await sub.err(/Listening to PRICE_DATA/);
  const price = await tickbus(['--url', url, 'pub', 'PRICE_DATA', PRICE]);
  expect(price).toMatchObject({ code: 0, stderr: '' });
  expect(jsonLines(price.stdout)).toMatchObject([{ channel: 'PRICE_DATA', seq: 1, receivers: 1 }]);
  const command = await tickbus(['--url', url, 'pub', 'TRADE_COMMANDS', 'pause', '{"bot":"momentum"}']);
  expect(command).toMatchObject({ code: 0, stderr: '' });
  const { code, stdout } = await sub.ended;
  expect(code).toBe(0);
  expect(jsonLines(stdout)).toMatchObject([
    { channel: 'PRICE_DATA', seq: 1, data: { symbol: 'A' } },
    { channel: 'TRADE_COMMANDS', message_type: 'pause' },
  ]);
  const snapshot = await tickbus(['--url', url, 'sub', 'PRICE_DATA', '--snapshot']);
  expect(jsonLines(snapshot.stdout)).toMatchObject([{ channel: 'PRICE_DATA', data: { symbol: 'A' } }]);
});

it('a node of the address may be dead, and a host name unknown', async () => {
  const [node] = cluster.nodes as [ClusterNode];
  const url = `${urlOf(await freePort())},nowhere.invalid:7000,127.0.0.1:${node.port}`;
  expect((await call(['--url', url, 'pub', 'PRICE_DATA', PRICE])).code).toBe(0);
});

describe('pub, sub and doctor say in one line why they fail', () => {
  it('if no node of the address answers', async () => {
    const [one, two] = [await freePort(), await freePort()];
    await expectFailure(urlOf(one, two), [
      `No node of the cluster at ${urlOf(one, two)} says who serves which channel`,
      `Cannot connect to Redis at redis://127.0.0.1:${two}: the connection was refused`,
    ]);
  });

  it('if no host name of the address is known', async () => {
    await expectFailure('redis+cluster://:hunter2@nowhere.invalid,neither.invalid', [
      'No node of the cluster at redis+cluster://nowhere.invalid:6379,neither.invalid:6379',
      'Cannot connect to Redis at redis://neither.invalid:6379',
    ]);
  });

  it('if the server is no cluster', async () => {
    await using server = await startLocalRedis();
    await expectFailure(urlOf(server.port), [
      `redis://127.0.0.1:${server.port} is not a node of a cluster`,
      'Use redis:// for a single server',
    ]);
  });

  it('if the nodes announce a host name that is unknown here', async () => {
    const { server, port } = await cluster.ownerOf('PRICE_DATA');
    const announce = (name: string, type: string) =>
      server.answers(
        `CONFIG SET cluster-announce-hostname "${name}"`,
        `CONFIG SET cluster-preferred-endpoint-type ${type}`,
      );
    await announce('node.invalid', 'hostname');
    try {
      const { code, stderr } = await call(['--url', urlOf(port), 'pub', 'PRICE_DATA', PRICE]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^[^\n]*announces node\.invalid[^\n]*cannot resolve[^\n]*\n$/);
    } finally {
      await announce('', 'ip');
    }
  });
});

it('pub and sub name the slot that nobody owns, and work on the other channels', async () => {
  const url = urlOf((cluster.nodes as [ClusterNode])[0].port);
  const slot = await cluster.slotOf('BOT_STATUS');
  const owner = await cluster.ownerOf('BOT_STATUS');
  // The owner first, because it announces the slots that it has.
  for (const { server } of [owner, ...cluster.nodes]) await server.answers(`CLUSTER DELSLOTS ${slot}`);
  const status = ['pub', 'BOT_STATUS', '{"bot":"b","state":"running"}'];
  for (const verb of [status, ['sub', 'BOT_STATUS']]) {
    const { code, stderr } = await call(['--url', url, ...verb]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`^tickbus: .* serves slot ${slot} of BOT_STATUS.*\\n$`, 'm')),
    });
  }
  expect((await call(['--url', url, 'pub', 'PRICE_DATA', PRICE])).code).toBe(0);
});

function urlOf(...ports: number[]): string {
  return `redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`;
}

async function expectFailure(url: string, sentences: readonly string[]): Promise<void> {
  for (const verb of [['pub', 'PRICE_DATA', PRICE], ['sub', 'PRICE_DATA'], ['doctor']]) {
    const { code, stdout, stderr } = await call(['--url', url, ...verb]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    for (const sentence of sentences) expect(stderr).toContain(sentence);
    expect(stderr).not.toContain('hunter2');
  }
}

// `tickbus sub` and `tickbus pub` on a cluster, with the address of one of its nodes.

import { LocalCluster } from '@tickbus/local-redis/cluster';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonLines, killCommands, startTickbus, tickbus } from './harness.ts';

let cluster: LocalCluster;
beforeAll(async () => {
  cluster = await LocalCluster.start();
});
afterAll(async () => {
  killCommands();
  await cluster[Symbol.asyncDispose]();
});

it('sub prints the messages that pub publishes, on channels of different nodes', async () => {
  const url = `redis+cluster://127.0.0.1:${cluster.nodes[0]?.port}`;
  const owners = ['PRICE_DATA', 'TRADE_COMMANDS'].map((name) => cluster.ownerOf(name));
  expect(new Set(await Promise.all(owners)).size).toBe(2);
  const sub = startTickbus(['--url', url, 'sub', 'PRICE_DATA', 'TRADE_COMMANDS', '-n', '2', '-v']);
  await sub.err(/Listening to PRICE_DATA/);
  const price = await tickbus(['--url', url, 'pub', 'PRICE_DATA', '{"symbol":"A","price":1,"timestamp":0}']);
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

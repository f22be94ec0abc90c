// The slot of a channel: the same as the servers compute.

import { freePort, startLocalRedis } from '@tickbus/local-redis';
import { expect, it } from 'vitest';
import { keySlot } from '../../../transport/redis/cluster/key-slot.ts';
import { channelKeys } from '../../../transport/redis/keys.ts';
import { closeAfterEach, connectPlainClient } from '../integration.fixture.ts';

const closing = closeAfterEach();

const NAMES = [
  ...['', 'a', 'PRICE_DATA', 'FEED_STATUS', 'größe', '💹', 'a b', 'line\nbreak', 'x'.repeat(500)],
  ...['{a}b', 'b{a}', '{a}{b}', '{}', '{}a', 'a{}b', '{{a}}', '{a', 'a}', 'a{\n}b', '{ü}x', '{a}b}', '}{a}'],
];

it('is the slot that CLUSTER KEYSLOT returns', async () => {
  // By default the port of the cluster bus follows from the port of the server, and can be in use.
  const args = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())];
  await using server = await startLocalRedis({ keepsData: true, args });
  const client = await connectPlainClient(server.url, closing);
  const words = Array.from({ length: 500 }, (_, index) => `CHANNEL_${index}`);
  for (const name of [...NAMES, ...words])
    expect([name, keySlot(name)]).toEqual([name, await client.sendCommand(['CLUSTER', 'KEYSLOT', name])]);
});

it('is the same for a channel, its keys and its frames channel', () => {
  for (const name of ['PRICE_DATA', 'größe', 'a b']) {
    const { head, last, history, lease, fence, demand, frames, id } = channelKeys({ name });
    const keys = [head, last, history, lease, fence(1), demand, frames, id('x')];
    expect(new Set(keys.map(keySlot))).toEqual(new Set([keySlot(name)]));
  }
});

// What is stored of a channel, with and without partitions, and with parts that cannot be read.

import { expect, it, vi } from 'vitest';
import { z } from 'zod';
import { defineChannel } from '../../channel/channel.ts';
import { partitionName } from '../../channel/partitions.ts';
import { RedisPublisher } from '../../publisher.ts';
import { readStored } from '../../subscribe/stored-parts.ts';
import { MemoryConnection } from '../../testing.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];

/** A channel with 20 messages of each key; `perPart` is the length of a history. */
async function setUp(partitions: number, perPart = 1_000) {
  const tick = z.object({ key: z.string(), n: z.number() });
  const channel = defineChannel('TICKS', {
    kind: 'event',
    key: 'key',
    history: perPart,
    messages: { tick },
    partitions,
  });
  const connection = new MemoryConnection();
  const publisher = new RedisPublisher({ connection });
  for (let n = 1; n <= 20; n++) for (const key of KEYS) await publisher.publish(channel, { key, n });
  const parse = ({ data }: { data: unknown }) => tick.safeParse(data).data;
  return { channel, transport: connection.publishing, parse };
}

it.each([1, 4])('reads all messages of %i partitions, those of a key in order', async (partitions) => {
  const { channel, transport, parse } = await setUp(partitions);
  const parts = await readStored(transport, channel, parse);
  expect(parts).toHaveLength(partitions);
  const all = parts.flatMap(({ messages }) => messages);
  for (const key of KEYS)
    expect(all.filter((one) => one.key === key).map(({ n }) => n)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  for (const { messages, head, isFull } of parts) {
    expect(head.seq).toBe(messages.length);
    expect(isFull).toBe(false);
  }
});

it('says that the server may have dropped older messages, and leaves out what is converted to undefined', async () => {
  const { channel, transport } = await setUp(1, 30);
  const [part] = await readStored(transport, channel, ({ data }) => (data.key === 'a' ? data.n : undefined));
  expect(part).toMatchObject({ isFull: true, head: { seq: 120 }, messages: [16, 17, 18, 19, 20] });
});

it('rejects if a partition cannot be read, or leaves it out and says so', async () => {
  const { channel, transport, parse } = await setUp(4);
  const error = new Error('The node is down.');
  const read = transport.read.bind(transport);
  vi.spyOn(transport, 'read').mockImplementation((spec, ...rest) =>
    spec.name === partitionName('TICKS', 2, 4) ? Promise.reject(error) : read(spec, ...rest),
  );
  await expect(readStored(transport, channel, parse)).rejects.toBe(error);
  const errors: unknown[] = [];
  const parts = await readStored(transport, channel, parse, (one) => errors.push(one));
  expect([parts.length, errors]).toEqual([3, [error]]);
});

it('reads again if the number of partitions changes meanwhile', async () => {
  const { channel, transport, parse } = await setUp(4);
  const read = transport.read.bind(transport);
  const spy = vi.spyOn(transport, 'read').mockImplementation(async (...call) => {
    const state = await read(...call);
    if (spy.mock.calls.length === 1) await transport.setPartitions(channel, 2);
    return state;
  });
  expect(await readStored(transport, channel, parse)).toHaveLength(2);
});

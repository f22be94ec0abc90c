// Another program stores values of megabytes in keys of tickbus: reading them blocks Redis only for single values.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { beforeEach, expect, it } from 'vitest';
import type { ChannelSpec } from '../../channel/channel.ts';
import { RedisConnection } from '../../connection.ts';
import type { Transport } from '../../transport/port.ts';
import { channelKeys } from '../../transport/redis/keys.ts';
import { spec } from '../contracts/transport.fixture.ts';
import { closeAfterEach, connectPlainClient, type PlainClient } from './integration.fixture.ts';

const VALUES = 60;
const VALUE_BYTES = 1_500_000;
/** Large values that one script may read. It begins no read beyond 1 MiB, but one read can return several values. */
const MAX_READ_AT_ONCE = 8;

let redis: LocalRedis;
let admin: PlainClient;
let transport: Transport;
const closing = closeAfterEach();
beforeEach(async () => {
  redis = await startLocalRedis();
  closing.push(() => redis.kill());
  admin = await connectPlainClient(redis.url, closing);
  const connection = new RedisConnection({ url: redis.url, logger });
  closing.push(() => connection.close());
  await connection.subscribing.connect();
  transport = connection.subscribing;
});

async function store(
  channel: ChannelSpec,
  command: (index: number, value: string) => string[],
): Promise<void> {
  await admin.hSet(channelKeys(channel).head, { epoch: '1000', seq: '100' });
  for (let index = 0; index < VALUES; index++)
    await admin.sendCommand(command(index, 'x'.repeat(VALUE_BYTES)));
}

/** The scripts that have run. */
async function scriptCalls(): Promise<number> {
  const info = await admin.info('commandstats');
  return [...info.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
}

async function callsFor(read: () => Promise<unknown>): Promise<number> {
  const before = await scriptCalls();
  await read();
  return (await scriptCalls()) - before;
}

it.each([
  ['last values', spec('state'), 'last', (i: number, v: string) => ['HSET', `k${i}`, v]],
  ['a history', spec('event', 1_000), 'history', (i: number, v: string) => ['XADD', `1-${i + 1}`, 'm', v]],
] as const)('%s are read a few at a time, cut off', async (_, channel, name, write) => {
  const key = channelKeys(channel)[name];
  await store(channel, (index, value) => {
    const [command = '', ...rest] = write(index, value);
    return [command, key, ...rest];
  });
  let entries: readonly Uint8Array[] = [];
  const calls = await callsFor(async () => {
    ({ entries } = await transport.read(channel));
  });
  expect(calls).toBeGreaterThanOrEqual(VALUES / MAX_READ_AT_ONCE);
  expect(entries).toHaveLength(VALUES);
  // One byte more than a message may have, so that the subscriber reports it as invalid.
  expect(new Set(entries.map(({ length }) => length))).toEqual(new Set([256 * 1024 + 1]));
});

it('wanted keys are read alone, if the others are large', async () => {
  const channel = spec('state');
  const { last } = channelKeys(channel);
  await store(channel, (index, value) => ['HSET', last, `k${index}`, value]);
  await admin.hSet(last, 'mine', '{"seq":1}');
  const calls = await callsFor(async () => {
    const { entries } = await transport.read(channel, undefined, { keys: new Set(['mine']) });
    expect(entries.map(String)).toContain('{"seq":1}');
    expect(entries.length).toBeLessThanOrEqual(MAX_READ_AT_ONCE + 1);
  });
  // The server learns the script by the second one.
  expect(calls).toBeLessThanOrEqual(2);
});

it('demand: such entries, and those that never end, are removed a few at a time; the others stay', async () => {
  const channel = spec('state');
  const { demand: key } = channelKeys(channel);
  const demand = transport.demand(channel);
  await demand.declare('me', ['AAPL'], 60_000);
  await store(channel, (index, value) => ['ZADD', key, '9e15', `${index}\n${value}`]);
  await admin.sendCommand(['ZADD', key, '9e15', 'forever\nMSFT', 'inf', 'forever\nTSLA']);
  const calls = await callsFor(async () => {
    expect(new Map(await demand.wanted())).toEqual(new Map([['AAPL', 1]]));
  });
  expect(calls).toBeGreaterThanOrEqual(VALUES / MAX_READ_AT_ONCE);
  expect(await admin.zCard(key)).toBe(1);
});

it('a history with an entry of a later number is named', async () => {
  const channel = spec('event', 1_000);
  const { history } = channelKeys(channel);
  await admin.sendCommand(['XADD', history, '9000000000000000-1', 'm', '{}']);
  await expect(transport.publish(channel, [{ json: '{"a":1}' }])).rejects.toMatchObject({
    code: 'TICKBUS_SERVER_ERROR',
    field: history,
    message: expect.stringContaining(`DEL ${history}`),
  });
});

// The verbs that read the wire, on a channel with partitions.

import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@tickbus/test-kit';
import { RedisConnection } from 'tickbus';
import { partitionName } from 'tickbus/admin';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { jsonLines, startTickbus, tickbus, withServer } from './harness.ts';

const server = withServer();
const { env } = server;
let connection: RedisConnection;
beforeAll(async () => {
  connection = new RedisConnection({ url: server.redis.url, logger: silentLogger });
  await connection.publishing.connect();
});
afterAll(() => connection.close());
beforeEach(() => server.redis.answers('FLUSHALL'));

const CHANNEL = { name: 'BOT_STATUS', kind: 'state', history: 0 } as const;

/** Splits the channel, as its writer does. */
async function split(partitions: number) {
  const specs = Array.from({ length: partitions }, (_, index) => ({
    ...CHANNEL,
    name: partitionName(CHANNEL.name, index, partitions),
    layout: partitions,
  }));
  for (const spec of [...specs, CHANNEL]) await connection.publishing.setPartitions(spec, partitions);
  return (index: number, bot: string) => {
    const data = { bot, state: 'running' };
    const json = JSON.stringify({ message_type: 'bot_status', data, timestamp: 1, sender: 'test' });
    return connection.publishing.publish(specs[index] ?? CHANNEL, [{ key: bot, json }]);
  };
}

const botsIn = (output: string) => jsonLines(output).map(({ data }) => (data as { bot: string }).bot);

it('sub prints the messages of all partitions, also after their number has changed', async () => {
  const publish = await split(2);
  const sub = startTickbus(['sub', 'BOT_STATUS', '-n', '3', '-v'], { env: env() });
  await sub.err(/Listening to BOT_STATUS/);
  await publish(0, 'a');
  await publish(1, 'b');
  await sub.out(/"b"/);
  const publishToFour = await split(4);
  // The command follows within a second.
  for (;;) {
    const { receivers } = await publishToFour(3, 'c');
    if (receivers > 0) break;
  }
  const { code, stdout } = await sub.ended;
  expect(code).toBe(0);
  expect(botsIn(stdout)).toEqual(['a', 'b', 'c']);
  expect(new Set(jsonLines(stdout).map(({ channel }) => channel))).toEqual(new Set(['BOT_STATUS']));
});

it('sub --snapshot and bots print the stored values of all partitions', async () => {
  const publish = await split(4);
  for (const [index, bot] of ['d', 'c', 'b', 'a'].entries()) await publish(index, bot);
  const { stdout } = await tickbus(['sub', 'BOT_STATUS', '--snapshot'], { env: env() });
  expect(botsIn(stdout).sort()).toEqual(['a', 'b', 'c', 'd']);
  const one = await tickbus(['sub', 'BOT_STATUS#3/4', '--snapshot'], { env: env() });
  expect(botsIn(one.stdout)).toEqual(['a']);
  const bots = await tickbus(['bots', '--json'], { env: env() });
  expect(jsonLines(bots.stdout).map(({ bot }) => bot)).toEqual(['a', 'b', 'c', 'd']);
});

it('sub reads a channel whose head another program has written', async () => {
  await server.redis.answers("SET 'tickbus:{others}:head' text");
  const sub = startTickbus(['sub', 'others', '-n', '1', '-v'], { env: env() });
  await sub.err(/Listening to others/);
  await server.redis.answers('PUBLISH others hello');
  expect((await sub.ended).stdout).toMatch(/hello/);
});

it('record writes the messages of all partitions', async () => {
  const publish = await split(4);
  const path = join(tmpdir(), `tickbus-partitions-${process.pid}.jsonl`);
  const record = startTickbus(['record', path, 'BOT_STATUS', '-n', '2', '-v'], { env: env() });
  await record.err(/Recording BOT_STATUS/);
  await publish(1, 'a');
  await publish(2, 'b');
  const { code, stderr } = await record.ended;
  await rm(path);
  expect(code).toBe(0);
  expect(stderr).toMatch(/2 messages are in/);
});

// The gateway as a process with each form of REDIS_URL, and with addresses that do not work.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SentinelGroup } from '@tickbus/fault-kit/sentinel-group';
import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { LocalCluster } from '@tickbus/local-redis/cluster';
import { type SimulatedBroker, startSimulatedBroker } from '@tickbus/simulated-broker/broker';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { Random } from '@tickbus/test-kit/random';
import { CHANNELS } from 'tickbus/constants';
import { RedisSubscriber } from 'tickbus/subscriber';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { CREDENTIALS, collect, ReceivedValues, SILENT } from './gateway.fixture.ts';

const MAIN = await bundledProgram(new URL('../main.ts', import.meta.url));
const SEED = 1;

let broker: SimulatedBroker;
let server: LocalRedis;
let group: SentinelGroup;
let cluster: LocalCluster;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-'));
  [broker, server, group, cluster] = await Promise.all([
    startSimulatedBroker(),
    startLocalRedis({ args: ['--unixsocket', join(folder, 'redis.sock')] }),
    SentinelGroup.start({ random: new Random(SEED), sentinelPassword: 'open-sesame' }),
    LocalCluster.start(),
  ]);
});

afterAll(async () => {
  for (const resource of [broker, server, group, cluster]) await resource[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function run(url: string) {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env.PATH ?? '',
      REDIS_URL: url,
      HTTP_PORT: '0',
      LEASE_TTL_MS: '1000',
      ALPACA_KEY: CREDENTIALS.key,
      ALPACA_SECRET: CREDENTIALS.secret,
      ALPACA_URL: broker.url,
      SYMBOLS: 'AAPL',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, exit: once(child, 'exit'), stderr: text(child.stderr) };
}

it.each([
  ['redis://', () => server.url],
  ['unix://', () => `unix://${join(folder, 'redis.sock')}`],
  ['redis+sentinel://', () => group.url],
  ['redis+cluster://', () => `redis+cluster://127.0.0.1:${cluster.nodes[0]?.port}`],
])('publishes prices at an address %s', async (_, urlOf) => {
  await using subscriber = new RedisSubscriber({ url: urlOf(), logger: SILENT });
  const prices = new ReceivedValues<string>();
  collect(subscriber, CHANNELS.PRICE_DATA, ({ sender }) => prices.add(sender));
  await subscriber.startListening();
  const gateway = run(urlOf());
  await prices.until((sender) => sender.startsWith('price-gateway'));
  gateway.child.kill('SIGTERM');
  expect(await gateway.exit).toEqual([0, null]);
});

const sentinel = () => `127.0.0.1:${group.sentinels[0]?.proxy.port}`;

it.each([
  [
    'no sentinel answers',
    async () => `redis+sentinel://127.0.0.1:${await freePort()},nowhere.invalid/mymaster`,
    /refused the connection; nowhere\.invalid:26379 is an unknown host name/,
  ],
  [
    'the sentinels do not know the master',
    async () => `redis+sentinel://${sentinel()}/other?sentinel_password=open-sesame`,
    /does not watch a master of this name/,
  ],
  [
    'the sentinels reject the password',
    async () => `redis+sentinel://:hunter2@${sentinel()}/mymaster?sentinel_password=hunter2`,
    /rejects the password/,
  ],
  [
    'no node of the cluster answers',
    async () => `redis+cluster://127.0.0.1:${await freePort()}`,
    /No node of the cluster at .* says who serves/,
  ],
  [
    'the server is no cluster',
    async () => `redis+cluster://127.0.0.1:${server.port}`,
    /is not a node of a cluster/,
  ],
  [
    'a host of the list is invalid',
    async () => 'redis+cluster://:hunter2@n1,{n2}',
    /^Host 2 of REDIS_URL is not a host name/,
  ],
])('exits with one line if %s', async (_, urlOf, expected) => {
  const gateway = run(await urlOf());
  expect(await gateway.exit).toEqual([1, null]);
  const lines = (await gateway.stderr).trimEnd().split('\n');
  expect(lines.at(-1)).toMatch(expected);
  expect(lines.slice(0, -1).filter((line) => !line.startsWith('{'))).toEqual([]);
  expect(lines.join()).not.toMatch(/hunter2|open-sesame/);
});

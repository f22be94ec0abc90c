// The test subscriber as a process: it prints prices, and exits on SIGTERM or if Redis rejects the password.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { startLocalRedis } from '@tickbus/local-redis';
import { LocalCluster } from '@tickbus/local-redis/cluster';
import { bundledProgram } from '@tickbus/test-kit/bundle';
import { CHANNELS } from 'tickbus/constants';
import { RedisPublisher } from 'tickbus/publisher';
import { expect, it } from 'vitest';

const MAIN = await bundledProgram(new URL('../main.ts', import.meta.url));

/** Starts the process and waits until it is listening. */
async function run(url: string) {
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH ?? '', REDIS_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [exit, stderr] = [once(child, 'exit'), text(child.stderr)];
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => (await lines.next()).value;
  expect(await line()).toBe('Listening on PRICE_DATA');
  return { child, exit, stderr, line };
}

it('prints each price until SIGTERM, and exits with 0', async () => {
  await using redis = await startLocalRedis();
  await printsPrices(redis.url);
});

it('prints the prices of a cluster, of which CONFIG.HOST and CONFIG.PORT are one node', async () => {
  await using cluster = await LocalCluster.start();
  await printsPrices(cluster.url);
});

async function printsPrices(url: string): Promise<void> {
  const subscriber = await run(url);
  await using publisher = new RedisPublisher({ url, sender: 'test' });
  await publisher.publish(CHANNELS.PRICE_DATA, { symbol: 'AAPL', price: 187.5, timestamp: 0 });
  expect(await subscriber.line()).toBe('Received price: 187.5 for AAPL from test');
  subscriber.child.kill('SIGTERM');
  expect(await subscriber.exit).toEqual([0, null]);
}

it('exits with 1 and names the remedy if Redis rejects the password during operation', async () => {
  await using redis = await startLocalRedis();
  await redis.answers('ACL SETUSER reader on >secret allchannels ~* +@all');
  const subscriber = await run(redis.url.replace('//', '//reader:secret@'));
  await redis.answers('ACL SETUSER reader resetpass >another', 'CLIENT KILL USER reader');
  expect(await subscriber.exit).toEqual([1, null]);
  expect((await subscriber.stderr).trim().split('\n').at(-1)).toMatch(
    /WRONGPASS.* Check the user and password in REDIS_URL\b.*$/,
  );
});

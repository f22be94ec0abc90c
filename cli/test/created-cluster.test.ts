// The command on a cluster that `redis-cli --cluster create` made. Without redis-cli the test is skipped, except in CI.

import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { call, jsonLines, killCommands, startTickbus, tickbus } from './harness.ts';

/** In Debian, redis-cli comes with redis-tools, which redis-server depends on. */
const redisCli = ['redis-cli', 'valkey-cli'].find((program) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

describe.skipIf(redisCli === undefined && process.env.CI !== 'true')('redis-cli --cluster create', () => {
  const nodes: LocalRedis[] = [];
  beforeAll(async () => {
    for (let count = 0; count < 3; count++) nodes.push(await startNode());
    const places = nodes.map(({ port }) => `127.0.0.1:${port}`);
    const args = ['--cluster', 'create', ...places, '--cluster-yes'];
    const { stdout } = await promisify(execFile)(redisCli ?? 'redis-cli', args);
    expect(stdout).toContain('All 16384 slots covered');
    // redis-cli does not wait until every node has heard of the others.
    for (const node of nodes)
      await vi.waitFor(
        async () => expect(await node.answers('CLUSTER INFO')).toContain('cluster_state:ok'),
        20_000,
      );
  });
  afterEach(killCommands);
  afterAll(async () => {
    for (const node of nodes) await node[Symbol.asyncDispose]();
  });

  it('sub prints what pub publishes, and every node of it leads to the channel', async () => {
    const price = { symbol: 'A', price: 1, timestamp: 0 };
    const [url = '', ...others] = nodes.map(({ port }) => `redis+cluster://127.0.0.1:${port}`);
    const sub = startTickbus(['--url', url, 'sub', 'PRICE_DATA', '-n', '1', '-v']);
    await sub.err(/Listening to PRICE_DATA/);
    const pub = await tickbus(['--url', url, 'pub', 'PRICE_DATA', JSON.stringify(price)]);
    expect(pub).toMatchObject({ code: 0, stderr: '' });
    const { code, stdout } = await sub.ended;
    expect(code).toBe(0);
    expect(jsonLines(stdout)).toMatchObject([{ channel: 'PRICE_DATA', data: price }]);
    for (const other of others) {
      const snapshot = await call(['--url', other, 'sub', 'PRICE_DATA', '--snapshot']);
      expect(jsonLines(snapshot.stdout)).toMatchObject([{ channel: 'PRICE_DATA', data: price }]);
    }
  });
});

async function startNode(): Promise<LocalRedis> {
  return startLocalRedis({
    keepsData: true,
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
      ...['--cluster-port', String(await freePort()), '--cluster-node-timeout', '5000'],
    ],
  });
}

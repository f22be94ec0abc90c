// TLS to a sentinel and to the master that it names.

import { freePort, type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger } from '@tickbus/test-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { Authority, hasOpenssl } from './certificates.fixture.ts';
import { closeAfterEach } from './integration.fixture.ts';

const closing = closeAfterEach();

describe.skipIf(!hasOpenssl)('a sentinel with TLS', () => {
  let authority: Authority;
  let servers: readonly LocalRedis[] = [];
  let sentinelPort: number;

  beforeAll(async () => {
    authority = new Authority();
    const { cert, key } = authority.issue('localhost');
    const [redisPort, port] = [await freePort(), await freePort()];
    const tls = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', authority.file];
    const options = [...tls, '--tls-auth-clients', 'no', '--tls-replication', 'yes'];
    const redis = await startLocalRedis({ args: ['--tls-port', String(redisPort), ...options] });
    const sentinel = await startLocalRedis({
      args: ['--tls-port', String(port), ...options],
      sentinel: [`sentinel monitor mymaster 127.0.0.1 ${redisPort} 1`],
    });
    servers = [redis, sentinel];
    sentinelPort = port;
  });
  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
    authority[Symbol.dispose]();
  });

  function connect(options: { url: string; ca?: string; servername?: string }): Promise<void> {
    const connection = new RedisConnection({ ...options, logger: silentLogger });
    closing.push(() => connection.close());
    return connection.publishing.connect();
  }
  const url = () => `rediss+sentinel://localhost:${sentinelPort}/mymaster`;

  it('is trusted by `ca`, and so is the master, by the name in `servername`', async () => {
    await connect({ url: url(), ca: authority.pem, servername: 'localhost' });
  });

  it('is rejected with TICKBUS_TLS_FAILED if its authority is unknown', async () => {
    await expect(connect({ url: url() })).rejects.toMatchObject({
      code: 'TICKBUS_TLS_FAILED',
      message: expect.stringMatching(
        /localhost:\d+ failed: .*unknown authority.*`ca`, or REDIS_TLS_CA_FILE/s,
      ),
    });
  });

  it('is not reached without TLS', async () => {
    const error = await connect({ url: url().replace('rediss', 'redis') }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'TICKBUS_CONNECT_FAILED' });
    expect(String(error)).toContain(`localhost:${sentinelPort} closed the connection (it may require TLS`);
  });
});

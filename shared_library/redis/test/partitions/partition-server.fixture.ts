// A server for the tests of one file, emptied before each, with connections that end after each.

import { type LocalRedis, startLocalRedis } from '@tickbus/local-redis';
import { silentLogger as logger } from '@tickbus/test-kit';
import { useLeasesOnce } from '@tickbus/test-kit/leases';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { RedisConnection } from '../../connection.ts';
import { HoldingProxy } from '../integration/holding-proxy.fixture.ts';
import { closeAfterEach, newPlainClient, type PlainClient } from '../integration/integration.fixture.ts';
import { type fills, leasedPublisher, type prices } from './partitions.fixture.ts';

export function usePartitionServer(): PartitionServer {
  const server = new PartitionServer();
  beforeAll(() => server.start());
  afterAll(() => server.stop());
  beforeEach(() => server.admin.flushAll());
  return server;
}

class PartitionServer {
  redis!: LocalRedis;
  admin!: PlainClient;
  readonly closing = closeAfterEach();

  async start(): Promise<void> {
    this.redis = await startLocalRedis();
    this.admin = newPlainClient(this.redis.url);
    await this.admin.connect();
  }

  async stop(): Promise<void> {
    this.admin.destroy();
    await this.redis.kill();
  }

  connect(url = this.redis.url): RedisConnection {
    const connection = new RedisConnection({ url, logger });
    this.closing.push(() => connection.close());
    return connection;
  }

  /** How often the server has executed a command. */
  async callsOf(command: string): Promise<number> {
    const stats = await this.admin.info('commandstats');
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  }

  /** A holder of the channel and its partitions behind a proxy, and a connection that is not. */
  async holderBehindProxy(channel: ReturnType<typeof prices> | ReturnType<typeof fills>) {
    const direct = this.connect();
    await useLeasesOnce(direct, channel, channel.partitions ?? 1);
    const proxy = await HoldingProxy.start(this.redis.port);
    this.closing.push(() => proxy[Symbol.asyncDispose]());
    const connection = this.connect(proxy.url);
    const holder = await leasedPublisher(connection, channel);
    this.closing.push(holder.close, () => {
      proxy.holdsRequests = false;
      proxy.cut();
    });
    return { direct, proxy, connection, holder };
  }
}

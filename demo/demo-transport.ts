// Selects the transport of the demo: the Redis of REDIS_URL, else a private server found on PATH, else memory.

import { findRedisServer, startLocalRedis } from '@tickbus/local-redis';
import { type Connection, type Logger, RedisConnection } from 'tickbus';
import { MemoryConnection, MemoryServer } from 'tickbus/testing';

export interface DemoTransport {
  /** `redis` (REDIS_URL), `redis-server` or `valkey-server` (private), or `memory`. */
  readonly kind: string;
  /** Location and reason, for display. */
  readonly description: string;
  /** Address for child processes; undefined for memory. */
  readonly url: string | undefined;
  /** Creates a separate connection for one service. */
  connect(): Connection;
  close(): Promise<void>;
}

export async function openTransport(redisUrl: string | undefined, logger: Logger): Promise<DemoTransport> {
  const connections: Connection[] = [];
  const remember = (connection: Connection) => {
    connections.push(connection);
    return connection;
  };
  const closeAll = () => Promise.all(connections.map((connection) => connection.close()));
  if (redisUrl !== undefined) {
    return {
      kind: 'redis',
      description: 'the Redis of REDIS_URL (publishing simulated prices and orders there)',
      url: redisUrl,
      connect: () => remember(new RedisConnection({ url: redisUrl, logger })),
      close: async () => void (await closeAll()),
    };
  }
  if (findRedisServer() === undefined) {
    const server = new MemoryServer();
    return {
      kind: 'memory',
      description: 'memory, as no REDIS_URL is set and no redis-server or valkey-server is on PATH',
      url: undefined,
      connect: () => remember(new MemoryConnection({ server })),
      close: async () => void (await closeAll()),
    };
  }
  const server = await startLocalRedis();
  return {
    kind: server.program,
    description: `a private ${server.program} on ${server.host}:${server.port}`,
    url: server.url,
    connect: () => remember(new RedisConnection({ url: server.url, logger })),
    close: async () => {
      await closeAll();
      await server.kill();
    },
  };
}

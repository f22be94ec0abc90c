// What the demo runs on: the Redis of REDIS_URL, else a private server found on PATH, else memory.

import { findRedisServer, startLocalRedis } from '@tickbus/local-redis';
import { type Connection, type Logger, RedisConnection } from 'tickbus';
import { MemoryConnection, MemoryServer } from 'tickbus/testing';

export interface DemoTransport {
  /** `redis` (REDIS_URL), `redis-server` or `valkey-server` (private), or `memory`. */
  readonly transport: string;
  /** For people: where it is, and why this one. */
  readonly description: string;
  /** For a process of its own; undefined where it is memory. */
  readonly url: string | undefined;
  /** A service's own links, as if it ran in a container of its own. */
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
      transport: 'redis',
      description: 'the Redis of REDIS_URL (made-up prices and orders are published there)',
      url: redisUrl,
      connect: () => remember(new RedisConnection({ url: redisUrl, logger })),
      close: async () => void (await closeAll()),
    };
  }
  if (findRedisServer() === undefined) {
    const server = new MemoryServer();
    return {
      transport: 'memory',
      description: 'memory, as no REDIS_URL is set and no redis-server or valkey-server is on PATH',
      url: undefined,
      connect: () => remember(new MemoryConnection({ server })),
      close: async () => void (await closeAll()),
    };
  }
  const server = await startLocalRedis();
  return {
    transport: server.program,
    description: `a private ${server.program} on ${server.host}:${server.port}`,
    url: server.url,
    connect: () => remember(new RedisConnection({ url: server.url, logger })),
    close: async () => {
      await closeAll();
      await server.kill();
    },
  };
}

// Selects the transport of the demo: a private cluster, or the Redis of REDIS_URL, else a private server found on PATH,
// else memory.

import { findRedisServer, startLocalRedis } from '@tickbus/local-redis';
import { LocalCluster } from '@tickbus/local-redis/cluster';
import { type Connection, type Logger, RedisConnection } from 'tickbus';
import { MemoryConnection, MemoryServer } from 'tickbus/testing';
import type { DemoConfig } from './config.ts';

export interface DemoTransport {
  /** `redis` (REDIS_URL), `redis-server` or `valkey-server` (private), `cluster` (private), or `memory`. */
  readonly kind: string;
  /** Location and reason, for display. */
  readonly description: string;
  /** Address for child processes; undefined for memory. */
  readonly url: string | undefined;
  /** Its nodes; undefined unless it is a cluster. */
  readonly cluster?: LocalCluster;
  /** Creates a separate connection for one service. */
  connect(): Connection;
  close(): Promise<void>;
}

/** @throws Error if a cluster is wanted and cannot be started */
export async function openTransport(
  { redisUrl, cluster: wantsCluster }: Pick<DemoConfig, 'redisUrl' | 'cluster'>,
  logger: Logger,
): Promise<DemoTransport> {
  const connections: Connection[] = [];
  const remember = (connection: Connection) => {
    connections.push(connection);
    return connection;
  };
  const closeAll = () => Promise.all(connections.map((connection) => connection.close()));
  if (wantsCluster) {
    const cluster = await startCluster();
    return {
      kind: 'cluster',
      description: `a private cluster of ${MASTERS} masters, each with a replica, on ${cluster.url}`,
      url: cluster.url,
      cluster,
      connect: () => remember(new RedisConnection({ url: cluster.url, logger })),
      close: async () => {
        await closeAll();
        await cluster[Symbol.asyncDispose]();
      },
    };
  }
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

const MASTERS = 3;
/** Prices go on within twice this time and 3 s. */
const NODE_TIMEOUT_MS = 1_000;

async function startCluster(): Promise<LocalCluster> {
  if (findRedisServer() === undefined)
    throw new Error(
      'The demo did not start: --cluster needs redis-server or valkey-server on PATH, version 7 or newer. Install one ' +
        '(apt-get install redis-server), or run the demo without --cluster.',
    );
  try {
    return await LocalCluster.start({
      masters: MASTERS,
      replicas: 1,
      nodeTimeoutMs: NODE_TIMEOUT_MS,
      args: ['--cluster-require-full-coverage', 'no'],
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim() : String(error);
    throw new Error(
      'The demo did not start: the server on PATH cannot run a private cluster, which needs Redis 7 or newer, or Valkey. ' +
        `Run the demo without --cluster. ${reason}`,
    );
  }
}

// Parses the replies of `INFO` and `CONFIG GET`.

import type { SentinelReport } from '../sentinel/sentinel-locator.ts';
import type { ClusterReport } from './cluster-report.ts';

/** Settings and state of a server. A field is undefined if it could not be read. */
export interface ServerReport {
  /** `redis`, `valkey`, or another product name. */
  readonly product: string | undefined;
  readonly version: string | undefined;
  /** `standalone`, `cluster` or `sentinel`. */
  readonly mode: string | undefined;
  readonly role: string | undefined;
  readonly replicas: number | undefined;
  /** Number of replicas without which the server rejects writes (`min-replicas-to-write`); 0 means none is needed. */
  readonly minReplicas?: number | undefined;
  /** The sentinels of the address; undefined if it names none. */
  readonly sentinels?: SentinelReport | undefined;
  /** The cluster of the address. The other fields are those of one of its masters. Undefined if it is no cluster. */
  readonly cluster?: ClusterReport | undefined;
  /** Whether the replication backlog is active, which a returning replica needs. */
  readonly hasBacklog: boolean | undefined;
  /** Number of pattern subscriptions. */
  readonly patterns: number | undefined;
  readonly uptimeSeconds: number | undefined;
  readonly clients: number | undefined;
  readonly maxClients: number | undefined;
  readonly usedMemoryBytes: number | undefined;
  /** 0 means no limit. */
  readonly maxMemoryBytes: number | undefined;
  /** Eviction policy: `noeviction`, `allkeys-lru`, ... */
  readonly maxMemoryPolicy: string | undefined;
  readonly evictedKeys: number | undefined;
  /** Whether the append-only file is enabled. */
  readonly appendOnly: boolean | undefined;
  /** Snapshot schedule, as in `3600 1 300 100`; empty means never. */
  readonly savePoints: string | undefined;
  /** Whether its last snapshot, or its last write to the append-only file, failed. */
  readonly isSaveFailing: boolean | undefined;
  /** Output buffer limits above which the server disconnects a slow subscriber. 0 means no limit. */
  readonly pubsubBuffer: OutputBufferLimit | undefined;
  /** The same for connections without subscriptions, such as a gateway's, which receives the client list. */
  readonly normalBuffer: OutputBufferLimit | undefined;
  /** The numbers of the databases that have keys. */
  readonly databases: readonly number[] | undefined;
  /** The user of this connection. */
  readonly user: string | undefined;
}

export interface OutputBufferLimit {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

/** @param info the reply of `INFO`; undefined if it was denied */
export function parseServerFacts(
  info: string | undefined,
): Omit<
  ServerReport,
  'pubsubBuffer' | 'normalBuffer' | 'savePoints' | 'minReplicas' | 'sentinels' | 'cluster' | 'user'
> {
  const lines = (info ?? '').split('\r\n').map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, Math.max(0, colon)), line.slice(colon + 1)];
  });
  const fields = new Map(lines);
  const number = (name: string) => (fields.has(name) ? Number(fields.get(name)) : undefined);
  return {
    product: fields.get('server_name') ?? (fields.has('redis_version') ? 'redis' : undefined),
    version: fields.get('valkey_version') ?? fields.get('redis_version'),
    mode: fields.get('server_mode') ?? fields.get('redis_mode'),
    role: fields.get('role'),
    replicas: number('connected_slaves'),
    hasBacklog: fields.has('repl_backlog_active') ? fields.get('repl_backlog_active') === '1' : undefined,
    patterns: number('pubsub_patterns'),
    uptimeSeconds: number('uptime_in_seconds'),
    clients: number('connected_clients'),
    maxClients: number('maxclients'),
    usedMemoryBytes: number('used_memory'),
    maxMemoryBytes: number('maxmemory'),
    maxMemoryPolicy: fields.get('maxmemory_policy'),
    evictedKeys: number('evicted_keys'),
    databases: info === undefined ? undefined : databasesIn(fields.keys()),
    appendOnly: fields.has('aof_enabled') ? fields.get('aof_enabled') === '1' : undefined,
    isSaveFailing: fields.has('rdb_last_bgsave_status')
      ? fields.get('rdb_last_bgsave_status') === 'err' || fields.get('aof_last_write_status') === 'err'
      : undefined,
  };
}

function databasesIn(names: Iterable<string>): number[] {
  return [...names].flatMap((name) => /^db(\d+)$/.exec(name)?.[1] ?? []).map(Number);
}

/** @param setting as in `normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60` */
export function parseOutputBuffer(
  setting: string | undefined,
  kind: 'normal' | 'pubsub',
): OutputBufferLimit | undefined {
  const [, hard, soft, seconds] = new RegExp(`\\b${kind} (\\d+) (\\d+) (\\d+)`).exec(setting ?? '') ?? [];
  if (hard === undefined) return undefined;
  return { hardBytes: Number(hard), softBytes: Number(soft), softSeconds: Number(seconds) };
}

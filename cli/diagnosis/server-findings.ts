// Findings about the server: version, role, delivery mode, buffers, memory, persistence, clients and user.

import type { ServerReport } from 'tickbus/admin';
import { type DoctorFinding, unreadable } from './finding.ts';

const MIN_MAJOR = 7;
const MIB = 1024 * 1024;
/** The Redis default, in bytes. A burst of 200,000 prices of 160 bytes fills it while a subscriber is busy. */
const DEFAULT_OUTPUT_BUFFER = 32 * MIB;
/** The value from docs/production.md. */
const SET_OUTPUT_BUFFER = 'CONFIG SET client-output-buffer-limit "pubsub 256mb 64mb 60"';

export function serverFindings(server: ServerReport): DoctorFinding[] {
  return [
    versionOf(server),
    roleOf(server),
    deliveryModeOf(server),
    outputBufferOf(server),
    ...listBufferOf(server),
    memoryOf(server),
    persistenceOf(server),
    clientsOf(server),
    ...accessOf(server),
  ];
}

function versionOf({ product = 'Redis', version }: ServerReport): DoctorFinding {
  const subject = 'version';
  if (version === undefined) return unreadable(subject, 'the version', 'INFO');
  const found = `${product} ${version}`;
  if (Number.parseInt(version, 10) >= MIN_MAJOR) return { subject, level: 'ok', found };
  return {
    subject,
    level: 'fail',
    found,
    advice: `Use Redis ${MIN_MAJOR} or newer, or Valkey: the tickbus scripts require it.`,
  };
}

function roleOf({ mode, role }: ServerReport): DoctorFinding {
  const subject = 'role';
  if (mode === undefined || role === undefined) return unreadable(subject, 'mode and role', 'INFO');
  const found = `${mode}, ${role}`;
  if (mode === 'sentinel')
    return { subject, level: 'fail', found, advice: 'Connect to a Redis server, not to a sentinel.' };
  if (role !== 'master')
    return { subject, level: 'fail', found, advice: 'Connect to the master: a replica rejects publishing.' };
  if (mode === 'cluster')
    return { subject, level: 'ok', found: `${found}: every program needs an address with redis+cluster://` };
  return { subject, level: 'ok', found };
}

/**
 * Per-message delivery is often a deliberate choice, so it is reported as ok.
 * See docs/delivery.md, "Batched and per-message delivery".
 */
function deliveryModeOf({ mode, replicas, hasBacklog, patterns }: ServerReport): DoctorFinding {
  const subject = 'batches';
  if (replicas === undefined || patterns === undefined)
    return unreadable(subject, 'replicas and patterns', 'INFO');
  const obstacles = [
    ...(replicas > 0 || hasBacklog ? ['it has or recently had a replica'] : []),
    // Patterns never match the sharded channels of a cluster.
    ...(patterns > 0 && mode !== 'cluster'
      ? [`clients subscribe to ${patterns === 1 ? 'a pattern' : `${patterns} patterns`}`]
      : []),
  ];
  if (obstacles.length === 0)
    return { subject, level: 'ok', found: 'batched delivery on channels without plain clients' };
  const why = obstacles.join(' and ');
  return {
    subject,
    level: 'ok',
    found: `per-message delivery because ${why}: slower, but correct`,
  };
}

function outputBufferOf({ pubsubBuffer }: ServerReport): DoctorFinding {
  const subject = 'output buffer';
  if (pubsubBuffer === undefined) return unreadable(subject, 'client-output-buffer-limit', 'CONFIG GET');
  const { hardBytes, softBytes, softSeconds } = pubsubBuffer;
  const limits = `${mib(hardBytes)}, or ${mib(softBytes)} for ${softSeconds} s`;
  const found =
    hardBytes === 0
      ? 'Redis never disconnects a slow subscriber'
      : `Redis disconnects a slow subscriber at ${limits}`;
  if (hardBytes === 0)
    return {
      subject,
      level: 'warn',
      found,
      advice: `A subscriber that hangs can fill the server's memory: ${SET_OUTPUT_BUFFER}`,
    };
  if (hardBytes <= DEFAULT_OUTPUT_BUFFER)
    return {
      subject,
      level: 'warn',
      found,
      advice: `Redis disconnects a bot that is busy for seconds in a burst: ${SET_OUTPUT_BUFFER}, and in redis.conf`,
    };
  return { subject, level: 'ok', found };
}

/** Upper bound of one line of CLIENT LIST. */
const LISTED_CLIENT_BYTES = 400;

/**
 * A gateway lists all clients during a takeover. By default Redis does not limit the size of such a reply, so only a
 * configured limit is reported.
 */
function listBufferOf({ normalBuffer, maxClients = 0 }: ServerReport): DoctorFinding[] {
  const { hardBytes = 0, softBytes = 0 } = normalBuffer ?? {};
  const limits = [hardBytes, softBytes].filter((bytes) => bytes > 0);
  const needed = LISTED_CLIENT_BYTES * maxClients;
  if (limits.length === 0 || Math.min(...limits) >= needed) return [];
  const limit = mib(Math.min(...limits));
  const found = `Redis disconnects a client at ${limit}; a list of ${maxClients} clients can take ${mib(needed)}`;
  const setLimit = `CONFIG SET client-output-buffer-limit "normal ${needed} ${needed} 60"`;
  const advice = `Redis may disconnect a gateway during its takeover: ${setLimit}`;
  return [{ subject: 'list buffer', level: 'warn', found, advice }];
}

function memoryOf({
  maxMemoryBytes,
  maxMemoryPolicy,
  usedMemoryBytes = 0,
  evictedKeys = 0,
}: ServerReport): DoctorFinding {
  const subject = 'memory';
  if (maxMemoryBytes === undefined) return unreadable(subject, 'maxmemory', 'INFO');
  if (maxMemoryBytes === 0) return { subject, level: 'ok', found: `${mib(usedMemoryBytes)} used, no limit` };
  const used = `${mib(usedMemoryBytes)} of ${mib(maxMemoryBytes)} used`;
  const found = `${used}, ${maxMemoryPolicy}, ${evictedKeys} keys evicted`;
  if (maxMemoryPolicy !== 'noeviction') {
    const advice =
      'Redis may evict last prices, sequences and leases: CONFIG SET maxmemory-policy noeviction';
    return { subject, level: evictedKeys > 0 ? 'fail' : 'warn', found, advice };
  }
  if (usedMemoryBytes >= maxMemoryBytes)
    return { subject, level: 'fail', found, advice: 'Memory is full and publishing fails: raise maxmemory.' };
  if (usedMemoryBytes > 0.9 * maxMemoryBytes)
    return {
      subject,
      level: 'warn',
      found,
      advice: 'Publishing fails when memory is full: raise maxmemory.',
    };
  return { subject, level: 'ok', found };
}

/** Running without persistence is a supported choice, so it is reported as ok. */
function persistenceOf({ appendOnly, savePoints, isSaveFailing }: ServerReport): DoctorFinding {
  const subject = 'persistence';
  if (appendOnly === undefined && savePoints === undefined)
    return unreadable(subject, 'persistence', 'INFO and CONFIG GET');
  const methods = [
    ...(appendOnly ? ['append-only file'] : []),
    ...(savePoints ? [`snapshots (${savePoints})`] : []),
  ];
  // Without any method, Redis ignores an earlier failure.
  if (isSaveFailing && (methods.length > 0 || savePoints === undefined))
    return {
      subject,
      level: 'fail',
      found: 'the last write to disk failed, so Redis can reject every publish (MISCONF)',
      advice:
        'See the log of Redis, and free disk space or correct its directory. Or turn persistence off: CONFIG SET save ""',
    };
  if (methods.length > 0) return { subject, level: 'ok', found: methods.join(' and ') };
  return {
    subject,
    level: 'ok',
    found: 'none: after a restart, late joiners get no last prices and subscribers see a new epoch',
  };
}

function clientsOf({ clients, maxClients }: ServerReport): DoctorFinding {
  const subject = 'clients';
  if (clients === undefined || maxClients === undefined)
    return unreadable(subject, 'the number of clients', 'INFO');
  const found = `${clients} of ${maxClients}`;
  if (clients < 0.8 * maxClients) return { subject, level: 'ok', found };
  return {
    subject,
    level: 'warn',
    found,
    advice: 'Redis rejects new connections at the limit: raise maxclients.',
  };
}

function accessOf({ user }: ServerReport): DoctorFinding[] {
  if (user !== 'default') return [];
  return [
    {
      subject: 'access',
      level: 'warn',
      found: 'this program uses the user "default", which may do everything',
      advice:
        'Give each program a user with the permissions of its role, and turn "default" off: see docs/production.md#redis',
    },
  ];
}

function mib(bytes: number): string {
  return bytes < MIB ? `${Math.round(bytes / 1024)} KiB` : `${Math.round(bytes / MIB)} MiB`;
}

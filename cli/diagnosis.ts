// Findings of `doctor` from the server's reports, each with advice. Pure functions.

import type { ChannelStats, ClockReport, Purpose, ServerReport, UserPermissions } from 'tickbus/admin';

/** `unknown`: the user may not run the command that answers it. */
export type Level = 'ok' | 'warn' | 'fail' | 'unknown';

export interface DoctorFinding {
  readonly subject: string;
  readonly level: Level;
  /** One sentence without its full stop. */
  readonly found: string;
  /** What to change; undefined if nothing has to change. */
  readonly advice?: string;
}

export interface ServerFacts {
  readonly server: ServerReport;
  readonly clock: ClockReport;
  readonly permissions: UserPermissions;
  readonly channels: readonly ChannelStats[];
}

const OLDEST_MAJOR = 7;
const MIB = 1024 * 1024;
/** Redis default. A burst of 200,000 prices of 160 bytes fills it while a subscriber is busy. */
const DEFAULT_BUFFER = 32 * MIB;
/** The value from docs/production.md. */
const SET_BUFFER = 'CONFIG SET client-output-buffer-limit "pubsub 256mb 64mb 60"';

export function diagnose({ server, clock, permissions, channels }: ServerFacts): DoctorFinding[] {
  return [
    versionOf(server),
    roleOf(server),
    batchesOf(server),
    bufferOf(server),
    ...listBufferOf(server),
    memoryOf(server),
    persistenceOf(server),
    clientsOf(server),
    ...permissionsOf(permissions, server.user),
    ...writersOf(channels, permissions),
    clockOf(clock),
    latencyOf(clock),
  ];
}

function versionOf({ product = 'Redis', version }: ServerReport): DoctorFinding {
  const subject = 'version';
  if (version === undefined) return hidden(subject, 'the version', 'INFO');
  const found = `${product} ${version}`;
  if (Number.parseInt(version, 10) >= OLDEST_MAJOR) return { subject, level: 'ok', found };
  return {
    subject,
    level: 'fail',
    found,
    advice: `Use Redis ${OLDEST_MAJOR} or newer, or Valkey: the tickbus scripts require it.`,
  };
}

function roleOf({ mode, role }: ServerReport): DoctorFinding {
  const subject = 'role';
  if (mode === undefined || role === undefined) return hidden(subject, 'mode and role', 'INFO');
  const found = `${mode}, ${role}`;
  if (mode === 'sentinel')
    return { subject, level: 'fail', found, advice: 'Connect to a Redis server, not to a sentinel.' };
  if (role !== 'master')
    return { subject, level: 'fail', found, advice: 'Connect to the master: a replica rejects publishing.' };
  if (mode === 'cluster')
    return {
      subject,
      level: 'warn',
      found,
      advice: 'Use a single server: tickbus does not support a cluster yet.',
    };
  return { subject, level: 'ok', found };
}

/**
 * Per-message delivery is often a deliberate choice, so it is reported as ok.
 * See docs/delivery.md, "Batched and per-message delivery".
 */
function batchesOf({ mode, replicas, hasBacklog, patterns }: ServerReport): DoctorFinding {
  const subject = 'batches';
  if (replicas === undefined || patterns === undefined)
    return hidden(subject, 'replicas and patterns', 'INFO');
  const obstacles = [
    ...(mode === 'standalone' ? [] : [`the server is a ${mode}`]),
    ...(replicas > 0 || hasBacklog ? ['it has or recently had a replica'] : []),
    ...(patterns > 0
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

function bufferOf({ pubsubBuffer }: ServerReport): DoctorFinding {
  const subject = 'output buffer';
  if (pubsubBuffer === undefined) return hidden(subject, 'client-output-buffer-limit', 'CONFIG GET');
  const { hardBytes, softBytes, softSeconds } = pubsubBuffer;
  const limits = `${mib(hardBytes)}, or ${mib(softBytes)} for ${softSeconds} s`;
  const found = `Redis ${hardBytes === 0 ? 'never disconnects a slow subscriber' : `disconnects a slow subscriber at ${limits}`}`;
  if (hardBytes === 0)
    return {
      subject,
      level: 'warn',
      found,
      advice: `A subscriber that hangs can fill the server's memory: ${SET_BUFFER}`,
    };
  if (hardBytes <= DEFAULT_BUFFER)
    return {
      subject,
      level: 'warn',
      found,
      advice: `Redis disconnects a bot that is busy for seconds during a burst: ${SET_BUFFER}, and in redis.conf`,
    };
  return { subject, level: 'ok', found };
}

/** Upper bound of a CLIENT LIST line, in bytes. */
const LISTED_CLIENT = 400;

/** A gateway lists all clients during a takeover. Redis has no default limit, so only a configured one is reported. */
function listBufferOf({ normalBuffer, maxClients = 0 }: ServerReport): DoctorFinding[] {
  const { hardBytes = 0, softBytes = 0 } = normalBuffer ?? {};
  const limits = [hardBytes, softBytes].filter((bytes) => bytes > 0);
  const needed = LISTED_CLIENT * maxClients;
  if (limits.length === 0 || Math.min(...limits) >= needed) return [];
  const found = `Redis disconnects a client at ${mib(Math.min(...limits))}; a list of ${maxClients} clients can take ${mib(needed)}`;
  const advice = `Redis may disconnect a gateway during its takeover: CONFIG SET client-output-buffer-limit "normal ${needed} ${needed} 60"`;
  return [{ subject: 'list buffer', level: 'warn', found, advice }];
}

function memoryOf({
  maxMemoryBytes,
  maxMemoryPolicy,
  usedMemoryBytes = 0,
  evictedKeys = 0,
}: ServerReport): DoctorFinding {
  const subject = 'memory';
  if (maxMemoryBytes === undefined) return hidden(subject, 'maxmemory', 'INFO');
  if (maxMemoryBytes === 0) return { subject, level: 'ok', found: `${mib(usedMemoryBytes)} used, no limit` };
  const found = `${mib(usedMemoryBytes)} of ${mib(maxMemoryBytes)} used, ${maxMemoryPolicy}, ${evictedKeys} keys evicted`;
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
function persistenceOf({ appendOnly, savePoints }: ServerReport): DoctorFinding {
  const subject = 'persistence';
  if (appendOnly === undefined && savePoints === undefined)
    return hidden(subject, 'persistence', 'INFO and CONFIG GET');
  const ways = [
    ...(appendOnly ? ['append-only file'] : []),
    ...(savePoints ? [`snapshots (${savePoints})`] : []),
  ];
  if (ways.length > 0) return { subject, level: 'ok', found: ways.join(' and ') };
  return {
    subject,
    level: 'ok',
    found: 'none: after a restart, late joiners get no last prices and subscribers see a new epoch',
  };
}

function clientsOf({ clients, maxClients }: ServerReport): DoctorFinding {
  const subject = 'clients';
  if (clients === undefined || maxClients === undefined)
    return hidden(subject, 'the number of clients', 'INFO');
  const found = `${clients} of ${maxClients}`;
  if (clients < 0.8 * maxClients) return { subject, level: 'ok', found };
  return {
    subject,
    level: 'warn',
    found,
    advice: 'Redis rejects new connections at the limit: raise maxclients.',
  };
}

const MEANING: Readonly<Record<Exclude<Purpose, 'exclusive'>, string>> = {
  subscribe: 'subscribe',
  read: 'read last values',
  demand: 'request instruments',
  publish: 'publish',
  lease: 'hold the lease',
};

/**
 * One finding for the allowed operations, and one for each missing permission. A permission that a bot can lack is a
 * warning. A channel that the user may neither read nor write is no fault while the user may use another one.
 */
function permissionsOf(all: UserPermissions, name: string | undefined): DoctorFinding[] {
  const subject = 'permissions';
  const [user, setUser] = [name ?? 'this user', `ACL SETUSER ${name ?? 'NAME'}`];
  // writersOf reports the permissions of the exclusive writer.
  const permissions = all.filter(isNeeded);
  if (permissions.some(({ isAllowed }) => isAllowed === undefined)) {
    const advice = `Last values and publishing need scripts: ${setUser} +@scripting`;
    return [
      {
        subject,
        level: 'fail',
        found: `${user} may not run scripts, so its other permissions are unknown`,
        advice,
      },
    ];
  }
  const { open, closed } = channelsOf(permissions);
  if (open.length === 0 && closed.length > 0) {
    const advice = `Allow the required channels with ${setUser}, as in docs/production.md: &PRICE_DATA ~tickbus:* +@pubsub`;
    return [{ subject, level: 'fail', found: `${user} may use no tickbus channel`, advice }];
  }
  const refused = permissions.filter(({ channel, isAllowed }) => !isAllowed && open.includes(channel));
  const hearsNothing = !permissions.some(({ purpose, isAllowed }) => purpose === 'subscribe' && isAllowed);
  const faults = refusalsOf(refused, hearsNothing, user, setUser);
  if (closed.length > 0) {
    const found = `${user} may use ${open.join(', ')}; not allowed for this user: ${closed.join(', ')}`;
    return [{ subject, level: 'ok', found }, ...faults];
  }
  return faults.length > 0
    ? faults
    : [{ subject, level: 'ok', found: `${user} has every permission that tickbus uses` }];
}

/** The channels on which the user may subscribe or publish, and the others. */
function channelsOf(permissions: readonly NeededPermission[]): { open: string[]; closed: string[] } {
  const isUse = ({ purpose, command }: NeededPermission) =>
    purpose === 'subscribe' || (purpose === 'publish' && command[0] === 'PUBLISH');
  const used = permissions.filter((permission) => permission.isAllowed && isUse(permission));
  const open = new Set(used.map(({ channel }) => channel));
  const all = [...new Set(permissions.map(({ channel }) => channel))];
  return { open: [...open], closed: all.filter((channel) => !open.has(channel)) };
}

function refusalsOf(
  refused: readonly NeededPermission[],
  hearsNothing: boolean,
  user: string,
  setUser: string,
): DoctorFinding[] {
  return [...new Set(refused.map(({ purpose }) => purpose))].map((purpose) => {
    const ofPurpose = refused.filter((command) => command.purpose === purpose);
    const channels = [...new Set(ofPurpose.map(({ channel }) => channel))].join(', ');
    const commands = ofPurpose.map(({ command: [name, of = ''] }) => `${name} ${of}`.trim());
    const isVital = purpose === 'read' || (purpose === 'subscribe' && hearsNothing);
    return {
      subject: 'permissions',
      level: isVital ? 'fail' : 'warn',
      found: `${user} may not ${MEANING[purpose]} on ${channels}`,
      advice: `If the user needs it, run ${setUser}: ${commands.slice(0, 6).join('; ')}${commands.length > 6 ? '; ...' : ''}`,
    };
  });
}

type NeededPermission = UserPermissions[number] & { readonly purpose: Exclude<Purpose, 'exclusive'> };

function isNeeded(permission: UserPermissions[number]): permission is NeededPermission {
  return permission.purpose !== 'exclusive';
}

const BY_CONNECTION = 'publishes with plain commands and is fenced by its connection';
const BY_TOKEN = 'publishes with a script that checks its token, which is slower';

/** How each lease holder publishes, or how this user would if nobody holds a lease. See docs/delivery.md, "Who may write". */
function writersOf(channels: readonly ChannelStats[], permissions: UserPermissions): DoctorFinding[] {
  const subject = 'writer';
  const held = channels.filter(({ lease }) => lease !== undefined);
  if (held.length > 0)
    return held.map(({ channel, lease }) => ({
      subject,
      level: 'ok',
      found: `the holder of ${channel} ${lease?.fence === 'connection' ? BY_CONNECTION : BY_TOKEN}`,
    }));
  const exclusive = permissions.filter(({ purpose }) => purpose === 'exclusive');
  if (exclusive.length === 0 || exclusive.some(({ isAllowed }) => isAllowed === undefined)) return [];
  const mayWrite = exclusive.every(({ isAllowed }) => isAllowed);
  const lacks =
    'because it lacks CLIENT LIST, CLIENT KILL or transactions; it cannot take over from a holder that did not release';
  const how = mayWrite ? BY_CONNECTION : `${BY_TOKEN}, ${lacks}`;
  const found = `no lease is held; a gateway of this user ${how}`;
  return [{ subject, level: 'ok', found }];
}

/** Sender and bot compare their own clocks: a command expires 30 s after its sender's time stamp. */
function clockOf({ offsetMs, errorMs }: ClockReport): DoctorFinding {
  const subject = 'clock';
  const ahead = offsetMs > 0 ? 'ahead of' : 'behind';
  const found = `the server's clock is ${ms(Math.abs(offsetMs))} ${ahead} this machine's (± ${ms(errorMs)})`;
  const beyond = Math.abs(offsetMs) - errorMs;
  if (beyond < 1_000) return { subject, level: 'ok', found };
  const advice = 'Commands expire too early or too late: synchronise both clocks with NTP.';
  return { subject, level: beyond < 10_000 ? 'warn' : 'fail', found, advice };
}

function latencyOf({ roundTripsMs }: ClockReport): DoctorFinding {
  const subject = 'latency';
  const sorted = [...roundTripsMs].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const found = `median ${ms(median)} (${ms(sorted[0] ?? 0)} to ${ms(sorted.at(-1) ?? 0)}, ${sorted.length} samples)`;
  if (median < 10) return { subject, level: 'ok', found };
  return {
    subject,
    level: 'warn',
    found,
    advice: 'Each hop adds half of it to every message: run gateway, bots and Redis closer together.',
  };
}

function hidden(subject: string, what: string, command: string): DoctorFinding {
  return {
    subject,
    level: 'unknown',
    found: `this user cannot read ${what}`,
    advice: `Use a user with permission for ${command}, or ask the server's administrator.`,
  };
}

function mib(bytes: number): string {
  return bytes < MIB ? `${Math.round(bytes / 1024)} KiB` : `${Math.round(bytes / MIB)} MiB`;
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : Math.round(value)} ms`;
}

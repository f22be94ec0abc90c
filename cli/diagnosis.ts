// What `doctor` makes of what the server told: findings, each with what to change. Pure.

import type { ChannelStats, ClockReport, Purpose, ServerReport, UserPermissions } from 'tickbus/admin';

/** `unknown`: the user may not ask. */
export type Level = 'ok' | 'warn' | 'fail' | 'unknown';

export interface Finding {
  readonly subject: string;
  readonly level: Level;
  /** What was found, a sentence without its full stop. */
  readonly found: string;
  /** What to change; undefined where nothing has to be. */
  readonly advice?: string;
}

export interface Findings {
  readonly server: ServerReport;
  readonly clock: ClockReport;
  readonly permissions: UserPermissions;
  readonly channels: readonly ChannelStats[];
}

const OLDEST_MAJOR = 7;
const MIB = 1024 * 1024;
/** The server's default, which a burst of 200,000 prices of 160 bytes fills while a subscriber is busy. */
const DEFAULT_BUFFER = 32 * MIB;
/** What docs/production.md sets. */
const SET_BUFFER = 'CONFIG SET client-output-buffer-limit "pubsub 256mb 64mb 60"';

export function diagnose({ server, clock, permissions, channels }: Findings): Finding[] {
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

function versionOf({ product = 'Redis', version }: ServerReport): Finding {
  const subject = 'version';
  if (version === undefined) return hidden(subject, 'the version', 'INFO');
  const found = `${product} ${version}`;
  if (Number.parseInt(version, 10) >= OLDEST_MAJOR) return { subject, level: 'ok', found };
  return {
    subject,
    level: 'fail',
    found,
    advice: `Use Redis ${OLDEST_MAJOR} or newer, or Valkey: the scripts of tickbus need it.`,
  };
}

function roleOf({ mode, role }: ServerReport): Finding {
  const subject = 'role';
  if (mode === undefined || role === undefined) return hidden(subject, 'mode and role', 'INFO');
  const found = `${mode}, ${role}`;
  if (mode === 'sentinel')
    return { subject, level: 'fail', found, advice: 'Connect to a server, not to a sentinel.' };
  if (role !== 'master')
    return { subject, level: 'fail', found, advice: 'Connect to the master: a replica takes no messages.' };
  if (mode === 'cluster')
    return { subject, level: 'warn', found, advice: 'A cluster is not supported yet: use one server.' };
  return { subject, level: 'ok', found };
}

/** What keeps it from being fast is often somebody's choice: it is told and not complained of. See docs/delivery.md, "Batched and per-message delivery". */
function batchesOf({ mode, replicas, hasBacklog, patterns }: ServerReport): Finding {
  const subject = 'batches';
  if (replicas === undefined || patterns === undefined)
    return hidden(subject, 'replicas and patterns', 'INFO');
  const obstacles = [
    ...(mode === 'standalone' ? [] : [`the server is a ${mode}`]),
    ...(replicas > 0 || hasBacklog ? ['it has a replica, or had one lately'] : []),
    ...(patterns > 0 ? [`somebody listens to ${patterns === 1 ? 'a pattern' : `${patterns} patterns`}`] : []),
  ];
  if (obstacles.length === 0)
    return { subject, level: 'ok', found: 'where no plain client listens, bots are sent whole batches' };
  const why = obstacles.join(' and ');
  return {
    subject,
    level: 'ok',
    found: `bots are sent each message by itself, as ${why}: slower, and no fault`,
  };
}

function bufferOf({ pubsubBuffer }: ServerReport): Finding {
  const subject = 'output buffer';
  if (pubsubBuffer === undefined) return hidden(subject, 'client-output-buffer-limit', 'CONFIG GET');
  const { hardBytes, softBytes, softSeconds } = pubsubBuffer;
  const limit = hardBytes === 0 ? 'no limit' : `${mib(hardBytes)}, or ${mib(softBytes)} for ${softSeconds} s`;
  const found = `a subscriber that does not read is cut off at ${limit}`;
  if (hardBytes === 0)
    return {
      subject,
      level: 'warn',
      found,
      advice: `One that hangs can fill the server's memory: ${SET_BUFFER}`,
    };
  if (hardBytes <= DEFAULT_BUFFER)
    return {
      subject,
      level: 'warn',
      found,
      advice: `A bot that is busy for some seconds of a burst is cut off: ${SET_BUFFER}, and in redis.conf`,
    };
  return { subject, level: 'ok', found };
}

/** Bytes that CLIENT LIST answers for one client, at most. */
const LISTED_CLIENT = 400;

/** A gateway that takes over lists all clients. Redis has no limit by default, so only one that was set is told. */
function listBufferOf({ normalBuffer, maxClients = 0 }: ServerReport): Finding[] {
  const { hardBytes = 0, softBytes = 0 } = normalBuffer ?? {};
  const limits = [hardBytes, softBytes].filter((bytes) => bytes > 0);
  const needed = LISTED_CLIENT * maxClients;
  if (limits.length === 0 || Math.min(...limits) >= needed) return [];
  const found = `a client that is sent ${mib(Math.min(...limits))} is cut off, and a list of ${maxClients} clients can take ${mib(needed)}`;
  const advice = `A gateway may be cut off when it takes over: CONFIG SET client-output-buffer-limit "normal ${needed} ${needed} 60"`;
  return [{ subject: 'list buffer', level: 'warn', found, advice }];
}

function memoryOf({
  maxMemoryBytes,
  maxMemoryPolicy,
  usedMemoryBytes = 0,
  evictedKeys = 0,
}: ServerReport): Finding {
  const subject = 'memory';
  if (maxMemoryBytes === undefined) return hidden(subject, 'maxmemory', 'INFO');
  if (maxMemoryBytes === 0) return { subject, level: 'ok', found: `${mib(usedMemoryBytes)} used, no limit` };
  const found = `${mib(usedMemoryBytes)} of ${mib(maxMemoryBytes)} used, ${maxMemoryPolicy}, ${evictedKeys} keys evicted`;
  if (maxMemoryPolicy !== 'noeviction') {
    const advice =
      'The server may throw away last prices, numbers and leases: CONFIG SET maxmemory-policy noeviction';
    return { subject, level: evictedKeys > 0 ? 'fail' : 'warn', found, advice };
  }
  if (usedMemoryBytes >= maxMemoryBytes)
    return { subject, level: 'fail', found, advice: 'It is full, so publishing fails: raise maxmemory.' };
  if (usedMemoryBytes > 0.9 * maxMemoryBytes)
    return { subject, level: 'warn', found, advice: 'Publishing fails when it is full: raise maxmemory.' };
  return { subject, level: 'ok', found };
}

/** None is a choice, and the plan's: it is told and not complained of. */
function persistenceOf({ appendOnly, savePoints }: ServerReport): Finding {
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
    found:
      'none: after a restart late bots start without last prices, and subscribers are told of a new epoch',
  };
}

function clientsOf({ clients, maxClients }: ServerReport): Finding {
  const subject = 'clients';
  if (clients === undefined || maxClients === undefined)
    return hidden(subject, 'the number of clients', 'INFO');
  const found = `${clients} of ${maxClients}`;
  if (clients < 0.8 * maxClients) return { subject, level: 'ok', found };
  return { subject, level: 'warn', found, advice: 'New bots will be refused: raise maxclients.' };
}

const MEANING: Readonly<Record<Exclude<Purpose, 'exclusive'>, string>> = {
  subscribe: 'subscribe',
  read: 'read what is kept',
  demand: 'ask a gateway for instruments',
  publish: 'publish',
  lease: 'hold the lease',
};

/**
 * One finding for all that is allowed, and one for each thing that is not. What a bot may lack is a warning. A channel on which the user may
 * neither subscribe nor publish is none of its business, and no fault, as long as there is another one.
 */
function permissionsOf(all: UserPermissions, name: string | undefined): Finding[] {
  const subject = 'permissions';
  const [user, setUser] = [name ?? 'this user', `ACL SETUSER ${name ?? 'NAME'}`];
  // What depends on those of the exclusive writer is told by itself.
  const permissions = all.filter(isNeeded);
  if (permissions.some(({ isAllowed }) => isAllowed === undefined)) {
    const advice = `Without scripts there are no last values and no publishing: ${setUser} +@scripting`;
    return [
      { subject, level: 'fail', found: `${user} may not run scripts, so the rest cannot be asked`, advice },
    ];
  }
  const { open, closed } = channelsOf(permissions);
  if (open.length === 0 && closed.length > 0) {
    const advice = `Allow the channels that it needs with ${setUser}, as in docs/production.md: &PRICE_DATA ~tickbus:* +@pubsub`;
    return [{ subject, level: 'fail', found: `${user} may use none of the channels of tickbus`, advice }];
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
    : [{ subject, level: 'ok', found: `${user} may do all that tickbus does` }];
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
): Finding[] {
  return [...new Set(refused.map(({ purpose }) => purpose))].map((purpose) => {
    const ofPurpose = refused.filter((command) => command.purpose === purpose);
    const channels = [...new Set(ofPurpose.map(({ channel }) => channel))].join(', ');
    const commands = ofPurpose.map(({ command: [name, of = ''] }) => `${name} ${of}`.trim());
    const isVital = purpose === 'read' || (purpose === 'subscribe' && hearsNothing);
    return {
      subject: 'permissions',
      level: isVital ? 'fail' : 'warn',
      found: `${user} may not ${MEANING[purpose]} on ${channels}`,
      advice: `If it has to, allow it with ${setUser}: ${commands.slice(0, 6).join('; ')}${commands.length > 6 ? '; ...' : ''}`,
    };
  });
}

type NeededPermission = UserPermissions[number] & { readonly purpose: Exclude<Purpose, 'exclusive'> };

function isNeeded(permission: UserPermissions[number]): permission is NeededPermission {
  return permission.purpose !== 'exclusive';
}

const BY_CONNECTION = 'publishes with plain commands, fenced by its connection';
const BY_TOKEN = 'publishes by a script that checks its token: slower';

/** How the holder of each lease publishes; where nobody holds one, how this user would. See docs/delivery.md, "Who may write". */
function writersOf(channels: readonly ChannelStats[], permissions: UserPermissions): Finding[] {
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
    'as it may not use CLIENT LIST, CLIENT KILL or transactions, and never follows one that did not release';
  const how = mayWrite ? BY_CONNECTION : `${BY_TOKEN}, ${lacks}`;
  const found = `nobody holds a lease now; a gateway of this user ${how}`;
  return [{ subject, level: 'ok', found }];
}

/** Commands expire by the clocks of those who send and obey them, 30 s after they were sent. */
function clockOf({ offsetMs, errorMs }: ClockReport): Finding {
  const subject = 'clock';
  const ahead = offsetMs > 0 ? 'ahead of' : 'behind';
  const found = `the server's clock is ${ms(Math.abs(offsetMs))} ${ahead} this machine's (± ${ms(errorMs)})`;
  const beyond = Math.abs(offsetMs) - errorMs;
  if (beyond < 1_000) return { subject, level: 'ok', found };
  const advice = 'Commands expire too soon or too late: set the clocks of both by NTP.';
  return { subject, level: beyond < 10_000 ? 'warn' : 'fail', found, advice };
}

function latencyOf({ roundTripsMs }: ClockReport): Finding {
  const subject = 'latency';
  const sorted = [...roundTripsMs].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const found = `it answers in ${ms(median)} (${ms(sorted[0] ?? 0)} to ${ms(sorted.at(-1) ?? 0)}, ${sorted.length} times)`;
  if (median < 10) return { subject, level: 'ok', found };
  return {
    subject,
    level: 'warn',
    found,
    advice: 'Every message takes half of it: run gateway, bots and Redis closer together.',
  };
}

function hidden(subject: string, what: string, command: string): Finding {
  return {
    subject,
    level: 'unknown',
    found: `the server does not tell ${what}`,
    advice: `Use a user who may use ${command}, or ask whoever runs the server.`,
  };
}

function mib(bytes: number): string {
  return bytes < MIB ? `${Math.round(bytes / 1024)} KiB` : `${Math.round(bytes / MIB)} MiB`;
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(2) : Math.round(value)} ms`;
}

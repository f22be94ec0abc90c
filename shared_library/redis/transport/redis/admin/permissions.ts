// The commands that tickbus uses on a channel, and a script that checks them against the server's ACL.

import type { Channel } from '../../../channel/channel.ts';
import { nameIn } from '../../../channel/namespace.ts';
import { channelKeys } from '../keys.ts';

/**
 * The purpose of a permission. `demand`: requesting instruments from a gateway. `exclusive`: publishing with plain
 * commands while holding the lease; without it the holder publishes by script. `confirm`: waiting until replicas have a
 * lease or a message, on a cluster and behind Sentinel. `locate`: finding the nodes of a cluster.
 */
export type Purpose =
  | 'subscribe'
  | 'read'
  | 'demand'
  | 'publish'
  | 'lease'
  | 'exclusive'
  | 'confirm'
  | 'locate';

export interface UsedCommand {
  /** Without its namespace. */
  readonly channel: string;
  readonly purpose: Purpose;
  /** With example arguments, as in `['HLEN', 'tickbus:{PRICE_DATA}:last']`. Keys are those of the namespace. */
  readonly command: readonly string[];
}

/**
 * Whether the user may use each command; undefined if the user may not run the script that checks this. On a cluster:
 * whether every master allows it. If only some deny it, `deniedAt` has their addresses, such as `10.0.0.1:6379`.
 */
export type UserPermissions = readonly (UsedCommand & {
  readonly isAllowed: boolean | undefined;
  readonly deniedAt?: readonly string[];
})[];

/**
 * The commands for this channel that `permissions` checks, once for each purpose and Redis key, with placeholders as
 * arguments.
 *
 * @param servers what the address names; channels of a cluster are sharded
 */
export function usedCommands(
  channel: Channel,
  servers: 'single' | 'sentinel' | 'cluster',
  namespace: string | undefined,
): UsedCommand[] {
  const isCluster = servers === 'cluster';
  const { kind, gateway, historyPerKey } = channel;
  const name = nameIn(namespace, channel.name);
  const { head, last, history, historyOf, histories, lease, fence, demand, id } = channelKeys({ name });
  const used = (purpose: Purpose, ...commands: string[][]): UsedCommand[] =>
    commands.map((command) => ({ channel: channel.name, purpose, command }));
  return [
    ...used('subscribe', [isCluster ? 'SSUBSCRIBE' : 'SUBSCRIBE', name]),
    ...used('read', ['HMGET', head, 'epoch', 'seq'], ['GET', lease], ['TIME']),
    ...used('publish', ['GET', lease], ['HMGET', head, 'epoch', 'seq'], ['TIME'], ['HSET', head, 'seq', '0']),
    ...used(
      'publish',
      [isCluster ? 'SPUBLISH' : 'PUBLISH', name, '{}'],
      ...(kind === 'plain' ? [] : [['INFO'], ['DEL', fence(0)], ['HDEL', head, 'writer']]),
    ),
    ...used(
      'lease',
      ['GET', lease],
      ['PTTL', lease],
      ['SET', lease, '0', 'PX', '1'],
      ['PEXPIRE', lease, '1'],
    ),
    ...used(
      'lease',
      ['DEL', lease],
      ['HSET', head, 'token', '0'],
      ['HDEL', head, 'nonce'],
      ['DEL', fence(0)],
      ['INFO'],
    ),
    ...(kind === 'state' || kind === 'event'
      ? used(
          'exclusive',
          ['CLIENT', 'LIST'],
          ['CLIENT', 'KILL', 'ID', '1'],
          ['MULTI'],
          ['EXEC'],
          ['WATCH', fence(0)],
          ['XREAD', 'STREAMS', fence(0), '0'],
          ['UNWATCH'],
        )
      : []),
    ...(kind === 'state'
      ? [
          ...used('read', ['HLEN', last], ['HMGET', last, 'x'], ['HSCAN', last, '0']),
          ...used('publish', ['HLEN', last], ['HSET', last, 'x', '{}'], ['HDEL', last, 'x']),
        ]
      : []),
    ...(servers === 'single' ? [] : used('confirm', ['WAIT', '1', '1'])),
    ...(isCluster ? used('locate', ['CLUSTER', 'SLOTS'], ['CLUSTER', 'INFO']) : []),
    ...(kind === 'event'
      ? used('read', ['XRANGE', history, '-', '+'], ['XREVRANGE', history, '+', '-'])
      : []),
    ...(kind === 'event' ? used('publish', ['XADD', history, 'MAXLEN', '1', '*', 'm', '{}']) : []),
    ...(historyPerKey === undefined
      ? []
      : [
          ...used('read', ['XREVRANGE', historyOf('x'), '+', '-']),
          ...used(
            'publish',
            ['XADD', historyOf('x'), 'MAXLEN', '1', '*', 'm', '{}'],
            ['DEL', historyOf('x')],
          ),
          ...used('publish', ['ZADD', histories, '0', 'x'], ['ZCARD', histories], ['ZPOPMIN', histories]),
        ]),
    ...(kind === 'command' ? used('publish', ['GET', id('x')], ['SET', id('x'), '', 'PX', '1']) : []),
    ...(gateway ? used('demand', ['ZADD', demand, '0', 'x'], ['ZRANGEBYSCORE', demand, '0', '0']) : []),
    ...(gateway ? used('demand', ['PTTL', demand], ['PEXPIRE', demand, '1'], ['ZREM', demand, 'x']) : []),
    ...(gateway ? used('demand', ['ZCARD', demand], ['ZSCORE', demand, 'x']) : []),
  ];
}

/** Commands that managed servers rename or deny: whether this user can run each on this server. */
export type CommandStates = readonly {
  /** `EVAL`, `EVALSHA`, `INFO`, `CONFIG GET` or `CLIENT`. */
  readonly command: string;
  /** `missing`: the server does not have it, or has renamed it. `denied`: the user lacks the permission. */
  readonly state: 'works' | 'missing' | 'denied';
}[];

/** Harmless uses of these commands. An error other than a rejection proves that the command works. */
export const PROBES = [
  { name: 'EVAL', command: ['EVAL', 'return 1', '0'] },
  { name: 'EVALSHA', command: ['EVALSHA', '0'.repeat(40), '0'] },
  { name: 'INFO', command: ['INFO', 'server'] },
  { name: 'CONFIG GET', command: ['CONFIG', 'GET', 'save'] },
  { name: 'CLIENT', command: ['CLIENT', 'ID'] },
] as const;

/**
 * The source of a script that returns 1 for each command that the user may run, otherwise 0. It runs none of them. It
 * also returns 0 for a command that the server does not have. It needs Redis 7 or newer.
 */
export function permissionScript(commands: readonly UsedCommand[]): string {
  const checks = commands.map(({ command }) => command.map(luaString).join(','));
  const lines = checks.map((check) => `r[#r+1] = may(${check}) and 1 or 0`);
  return `${LUA_MAY}local r = {}\n${lines.join('\n')}\nreturn r`;
}

/** @param answers the reply of each server to the script; undefined if it was denied there */
export function permissionsOf(
  commands: readonly UsedCommand[],
  answers: readonly { readonly address: string; readonly reply: unknown }[],
): UserPermissions {
  if (answers.length === 0 || answers.some(({ reply }) => !Array.isArray(reply)))
    return commands.map((command) => ({ ...command, isAllowed: undefined }));
  return commands.map((command, index) => {
    const denying = answers.filter(({ reply }) => Number((reply as unknown[])[index]) !== 1);
    if (denying.length === 0 || denying.length === answers.length)
      return { ...command, isAllowed: denying.length === 0 };
    return { ...command, isAllowed: false, deniedAt: denying.map(({ address }) => address) };
  });
}

/** `acl_check_cmd` throws for a command that the server does not have. */
const LUA_MAY = `
local function may(...)
  local is_known, allowed = pcall(redis.acl_check_cmd, ...)
  return is_known and allowed
end
`;

/** Escapes every byte, so that no channel name can terminate the string. */
function luaString(text: string): string {
  const bytes = [...new TextEncoder().encode(text)];
  return `"${bytes.map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`;
}

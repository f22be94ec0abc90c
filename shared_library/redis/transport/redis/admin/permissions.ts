// The commands that tickbus uses on a channel, and a script that checks them against the server's ACL.

import type { Channel } from '../../../channel/channel.ts';
import { channelKeys } from '../keys.ts';

/**
 * The purpose of a permission. `demand`: requesting instruments from a gateway. `exclusive`: publishing with plain
 * commands while holding the lease; without it the holder publishes by script.
 */
export type Purpose = 'subscribe' | 'read' | 'demand' | 'publish' | 'lease' | 'exclusive';

export interface UsedCommand {
  readonly channel: string;
  readonly purpose: Purpose;
  /** For example `['HVALS', 'tickbus:{PRICE_DATA}:last']`. */
  readonly command: readonly string[];
}

/** Whether the user may use each command; undefined if the user may not run the script that checks this. */
export type UserPermissions = readonly (UsedCommand & { readonly isAllowed: boolean | undefined })[];

/**
 * Every command that the library or its scripts run for this channel, once for each purpose and Redis key, with
 * placeholders as arguments.
 */
export function usedCommands(channel: Channel): UsedCommand[] {
  const { name, kind, gateway } = channel;
  const { head, last, history, lease, fence, demand, id } = channelKeys(channel);
  const used = (purpose: Purpose, ...commands: string[][]): UsedCommand[] =>
    commands.map((command) => ({ channel: name, purpose, command }));
  return [
    ...used('subscribe', ['SUBSCRIBE', name]),
    ...used('read', ['HMGET', head, 'epoch', 'seq'], ['GET', lease], ['TIME']),
    ...used('publish', ['GET', lease], ['HMGET', head, 'epoch', 'seq'], ['TIME'], ['HSET', head, 'seq', '0']),
    ...used('publish', ['PUBLISH', name, '{}'], ...(kind === 'plain' ? [] : [['INFO'], ['DEL', fence(0)]])),
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
          ...used('read', ['HLEN', last], ['HVALS', last], ['HMGET', last, 'x'], ['HSCAN', last, '0']),
          ...used('publish', ['HSET', last, 'x', '{}']),
        ]
      : []),
    ...(kind === 'event' ? used('read', ['XRANGE', history, '-', '+']) : []),
    ...(kind === 'event' ? used('publish', ['XADD', history, 'MAXLEN', '1', '*', 'm', '{}']) : []),
    ...(kind === 'command' ? used('publish', ['GET', id('x')], ['SET', id('x'), '', 'PX', '1']) : []),
    ...(gateway ? used('demand', ['ZADD', demand, '0', 'x'], ['ZRANGEBYSCORE', demand, '0', '0']) : []),
    ...(gateway ? used('demand', ['PTTL', demand], ['PEXPIRE', demand, '1'], ['ZREM', demand, 'x']) : []),
  ];
}

/** Returns 1 or 0 for each command, without running any. Redis 7 or newer. */
export function permissionScript(commands: readonly UsedCommand[]): string {
  const checks = commands.map(({ command }) => `redis.acl_check_cmd(${command.map(luaString).join(',')})`);
  const lines = checks.map((check) => `r[#r+1] = ${check} and 1 or 0`);
  return `local r = {}\n${lines.join('\n')}\nreturn r`;
}

/** Escapes every byte, so that no channel name can terminate the string. */
function luaString(text: string): string {
  const bytes = [...new TextEncoder().encode(text)];
  return `"${bytes.map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`;
}

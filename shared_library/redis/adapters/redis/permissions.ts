// Which commands tickbus uses on a channel, and whether the user may: asked of the server's access control, not tried out.

import type { Channel } from '../../core/channel.ts';
import { channelKeys } from './scripts.ts';

/** What a permission is for. `run`: every other one needs it. */
export type Purpose = 'run' | 'subscribe' | 'read' | 'publish' | 'lease';

export interface UsedCommand {
  readonly channel: string;
  readonly purpose: Purpose;
  /** As it would be given: `['HVALS', 'tickbus:{PRICE_DATA}:last']`. */
  readonly command: readonly string[];
}

/** Whether the user may use each command; undefined where the server cannot be asked: the user may not run scripts. */
export type UserPermissions = readonly (UsedCommand & { readonly isAllowed: boolean | undefined })[];

/** Every command that the library gives or its scripts run on this channel, once for each key. */
export function usedCommands({ name, kind, history }: Channel): UsedCommand[] {
  const keys = channelKeys({ name, kind, history });
  const used = (purpose: Purpose, ...commands: string[][]): UsedCommand[] =>
    commands.map((command) => ({ channel: name, purpose, command }));
  const kept = { state: 'last', event: 'history', command: undefined, plain: undefined }[kind];
  return [
    ...used('subscribe', ['SUBSCRIBE', name]),
    ...used('read', ['HMGET', keys.head, 'epoch', 'seq']),
    ...(kept === 'last' ? used('read', ['HVALS', keys.last]) : []),
    ...(kept === 'history' ? used('read', ['XRANGE', keys.history, '-', '+']) : []),
    ...used(
      'publish',
      ['GET', keys.lease],
      ['TIME'],
      ['HSET', keys.head, 'epoch', '0'],
      ['HINCRBY', keys.head, 'seq', '1'],
      ['PUBLISH', name, '{}'],
    ),
    ...(kept === 'last' ? used('publish', ['HSET', keys.last, 'key', '{}']) : []),
    ...(kept === 'history' ? used('publish', ['XADD', keys.history, 'MAXLEN', '1', '*', 'm', '{}']) : []),
    ...used('lease', ['SET', keys.lease, '0', 'PX', '1'], ['PEXPIRE', keys.lease, '1'], ['DEL', keys.lease]),
  ];
}

/** Answers 1 or 0 for each command, without running any. Redis 7 or newer. */
export function permissionScript(commands: readonly UsedCommand[]): string {
  const checks = commands.map(({ command }) => `redis.acl_check_cmd(${command.map(luaString).join(',')})`);
  const lines = checks.map((check) => `r[#r+1] = ${check} and 1 or 0`);
  return `local r = {}\n${lines.join('\n')}\nreturn r`;
}

/** Decimal escapes, so that no name of a channel can end the string. */
function luaString(text: string): string {
  const bytes = [...new TextEncoder().encode(text)];
  return `"${bytes.map((byte) => `\\${String(byte).padStart(3, '0')}`).join('')}"`;
}

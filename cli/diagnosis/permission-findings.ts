// Findings about the permissions of the connected user.

import type { Purpose, ServerReport, UserPermissions } from 'tickbus/admin';
import type { DoctorFinding } from './finding.ts';

const OPERATIONS: Readonly<Record<Exclude<Purpose, 'exclusive'>, string>> = {
  subscribe: 'subscribe',
  read: 'read last values',
  demand: 'request instruments',
  publish: 'publish',
  lease: 'hold the lease',
  confirm: 'wait until replicas have a lease or a message',
  locate: 'look up the nodes of the cluster',
};

/**
 * Returns one finding for each purpose that lacks permissions, and a summary if none does or a channel is closed. A
 * missing permission is a warning if a bot can work without it. A forbidden channel is ok as long as the user may use
 * another channel.
 */
export function permissionFindings(
  all: UserPermissions,
  { user: name, mode }: Pick<ServerReport, 'user' | 'mode'>,
  namespace: string | undefined,
): DoctorFinding[] {
  const subject = 'permissions';
  const [user, setUser] = [name ?? 'this user', `ACL SETUSER ${name ?? 'NAME'}`];
  // writer-findings.ts reports the permissions of the exclusive writer.
  const permissions = all.filter(isNeeded);
  if (permissions.some(({ isAllowed }) => isAllowed === undefined)) {
    const advice = `Last values and publishing need scripts: ${setUser} +eval +evalsha`;
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
    const names =
      namespace === undefined ? '&PRICE_DATA ~tickbus:*' : `&${namespace}:* ~tickbus:{${namespace}:*`;
    const subscribing =
      mode === 'cluster'
        ? '+ssubscribe +sunsubscribe +cluster|slots +cluster|info'
        : '+subscribe +unsubscribe';
    const rules = `${names} ${subscribing}`;
    const advice = `Allow the required channels with ${setUser}, as in docs/production.md: ${rules}`;
    return [{ subject, level: 'fail', found: `${user} may use no tickbus channel`, advice }];
  }
  const refused = permissions.filter(({ channel, isAllowed }) => !isAllowed && open.includes(channel));
  const cannotSubscribe = !permissions.some(({ purpose, isAllowed }) => purpose === 'subscribe' && isAllowed);
  const faults = missingPermissions(refused, cannotSubscribe, user);
  if (closed.length > 0) {
    const found = `${user} may use ${open.join(', ')}; not allowed for this user: ${closed.join(', ')}`;
    return [{ subject, level: 'ok', found }, ...faults];
  }
  return faults.length > 0
    ? faults
    : [{ subject, level: 'ok', found: `${user} has every permission that tickbus uses` }];
}

/** Splits the channels: `open` if the user may subscribe or publish, otherwise `closed`. */
function channelsOf(permissions: readonly NeededPermission[]): { open: string[]; closed: string[] } {
  const isUse = ({ purpose, command }: NeededPermission) =>
    purpose === 'subscribe' || (purpose === 'publish' && /^S?PUBLISH$/.test(command[0] ?? ''));
  const used = permissions.filter((permission) => permission.isAllowed && isUse(permission));
  const open = new Set(used.map(({ channel }) => channel));
  const all = [...new Set(permissions.map(({ channel }) => channel))];
  return { open: [...open], closed: all.filter((channel) => !open.has(channel)) };
}

function missingPermissions(
  refused: readonly NeededPermission[],
  cannotSubscribe: boolean,
  user: string,
): DoctorFinding[] {
  return [...new Set(refused.map(({ purpose }) => purpose))].map((purpose) => {
    const ofPurpose = refused.filter((command) => command.purpose === purpose);
    const channels = [...new Set(ofPurpose.map(({ channel }) => channel))].join(', ');
    const named = ofPurpose.map(({ command: [name, of = ''] }) => `${name} ${of}`.trim());
    const commands = purpose === 'locate' ? [...new Set(named)] : named;
    const listed = `${commands.slice(0, 6).join('; ')}${commands.length > 6 ? '; ...' : ''}`;
    const isVital =
      purpose === 'read' || purpose === 'locate' || (purpose === 'subscribe' && cannotSubscribe);
    const nodes = [...new Set(ofPurpose.flatMap(({ deniedAt = [] }) => deniedAt))];
    const where = nodes.length === 0 ? '' : `, at ${nodes.join(', ')}: every node has its own users`;
    return {
      subject: 'permissions',
      level: isVital ? 'fail' : 'warn',
      found: `${user} may not ${OPERATIONS[purpose]} on ${channels}${where}`,
      advice: `If ${user} needs it, allow these commands in its line of redis.conf, as in docs/production.md: ${listed}`,
    };
  });
}

type NeededPermission = UserPermissions[number] & { readonly purpose: Exclude<Purpose, 'exclusive'> };

function isNeeded(permission: UserPermissions[number]): permission is NeededPermission {
  return permission.purpose !== 'exclusive';
}

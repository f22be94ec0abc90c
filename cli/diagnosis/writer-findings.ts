// Findings about the writer of each leased channel.

import type { ChannelStats, UserPermissions } from 'tickbus/admin';
import type { DoctorFinding } from './finding.ts';

const BY_CONNECTION = 'publishes with plain commands and is fenced by its connection';
const BY_TOKEN = 'publishes with a script that checks its token, which is slower';

/**
 * Reports how each lease holder publishes. If no lease is held, or the user may not read the leases, reports how this
 * user would publish as the holder.
 * See docs/delivery.md, "Who may write".
 */
export function writerFindings(
  channels: readonly ChannelStats[] | undefined,
  permissions: UserPermissions,
): DoctorFinding[] {
  const subject = 'writer';
  const held = (channels ?? []).filter(({ lease }) => lease !== undefined);
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
  const state = channels === undefined ? 'who holds the leases is unknown' : 'no lease is held';
  return [{ subject, level: 'ok', found: `${state}; a gateway of this user ${how}` }];
}

// Findings about channels whose writers define them in another way than the definitions of this command.

import type { Channel } from 'tickbus';
import { type ChannelStats, conflictText, definitionAdvice, definitionConflict } from 'tickbus/admin';
import type { DoctorFinding } from './finding.ts';

/** @param known the definitions of this command, by name: the bundled ones, and those of TICKBUS_CHANNELS */
export function definitionFindings(
  channels: readonly Pick<ChannelStats, 'channel' | 'definition' | 'partitions'>[] | undefined,
  known: (name: string) => Channel | undefined,
  namespace: string | undefined,
): DoctorFinding[] {
  return (channels ?? []).flatMap(({ channel: name, definition, partitions = 1 }): DoctorFinding[] => {
    const channel = known(name);
    if (channel === undefined || definition === undefined) return [];
    const ownPartitions = channel.partitions;
    const conflict = definitionConflict(channel, definition, { isReader: true, partitions, ownPartitions });
    if (conflict === undefined) return [];
    const [found = ''] = conflictText(conflict).split(/\. (?=Use one)/);
    return [
      {
        subject: 'definition',
        level: conflict.severity === 'error' ? 'fail' : 'warn',
        found: found.replace(/^The/, 'the'),
        advice: `Use one definition in all programs, and in TICKBUS_CHANNELS. ${definitionAdvice({ name: nameIn(namespace, name) })}`,
      },
    ];
  });
}

function nameIn(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}:${name}`;
}

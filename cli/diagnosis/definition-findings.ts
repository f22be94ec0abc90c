// Findings about channels whose writers define them in another way than the definitions of this command.

import { definitionFault } from '@tickbus/operator-kit/definition-fault';
import type { Channel } from 'tickbus';
import { type ChannelStats, definitionConflict } from 'tickbus/admin';
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
    const level = conflict.severity === 'error' ? 'fail' : 'warn';
    return [{ subject: 'definition', level, ...definitionFault(conflict, namespace) }];
  });
}

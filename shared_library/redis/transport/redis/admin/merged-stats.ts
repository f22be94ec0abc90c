// The statistics of a channel with partitions, from those of its partitions.

import type { ChannelStats } from './channel-stats.ts';

/** @param channel the statistics of the channel itself, which has the lease */
export function mergedStats(channel: ChannelStats, partitions: readonly ChannelStats[]): ChannelStats {
  const sum = (field: 'keys' | 'history') => partitions.reduce((total, each) => total + each[field], 0);
  return {
    ...channel,
    position: undefined,
    subscribers: Math.max(...partitions.map(({ subscribers }) => subscribers)),
    keys: sum('keys'),
    history: sum('history'),
    fault: [channel, ...partitions].find(({ fault }) => fault !== undefined)?.fault,
  };
}

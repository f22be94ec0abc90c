// The scenarios on clusters and Sentinel groups, in the order of their numbers.

import type { Scenario } from '../scenario.ts';
import { asksBehindSentinel, asksOnCluster } from './ask-failovers.ts';
import {
  clusterDown,
  clusterIsolated,
  clusterKilled,
  clusterOrderly,
  clusterStopped,
  clusterTailMissing,
} from './cluster-failovers.ts';
import { clusterReshard, clusterSlotMoved } from './cluster-moves.ts';
import { longDown, longIsolated, longKilled, longReshard, longStopped } from './long-failovers.ts';
import { clusterPresence, sentinelPresence } from './presence-failovers.ts';
import {
  sentinelIsolated,
  sentinelKilled,
  sentinelStopped,
  sentinelTailMissing,
  sentinelTwoCandidates,
} from './sentinel-failovers.ts';

/** With `--cluster`. */
export const FAILOVERS: readonly Scenario[] = [
  clusterKilled,
  clusterStopped,
  clusterIsolated,
  clusterTailMissing,
  clusterOrderly,
  clusterSlotMoved,
  clusterReshard,
  clusterDown,
  sentinelKilled,
  sentinelStopped,
  sentinelIsolated,
  sentinelTailMissing,
  sentinelTwoCandidates,
  sentinelPresence,
  clusterPresence,
  asksOnCluster,
  asksBehindSentinel,
];

/** With `--cluster --long`. */
export const LONG_FAILOVERS: readonly Scenario[] = [
  longKilled,
  longStopped,
  longIsolated,
  longDown,
  longReshard,
];

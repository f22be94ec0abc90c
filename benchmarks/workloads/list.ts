// Every workload, in the order in which it is measured and shown.

import { BURSTS } from './bursts.ts';
import { THROUGHPUT } from './end-to-end.ts';
import { LATE_JOINERS } from './late-joiner.ts';
import { MARKET_HISTORY } from './market-history.ts';
import { MEMORY } from './memory.ts';
import { PARTITIONS } from './split-channels.ts';
import { STEADY } from './steady-rate.ts';
import type { Workload } from './workload.ts';

export const WORKLOADS: readonly Workload[] = [
  ...THROUGHPUT,
  ...STEADY,
  ...PARTITIONS,
  ...MARKET_HISTORY,
  ...BURSTS,
  ...LATE_JOINERS,
  MEMORY,
];

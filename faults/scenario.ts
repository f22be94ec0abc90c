// A scenario: one fault and its expected result.

import type { LocalRedisOptions } from '@tickbus/local-redis';
import type { Testbed } from './testbed.ts';

export interface Scenario {
  /** Number in the list of faults and a short name: `03-server-paused`. */
  readonly name: string;
  /** A group of scenarios, which `--only` accepts in place of a name. */
  readonly group?: 'hostile' | 'cluster' | 'sentinel';
  /** The expected result in one sentence. `run` throws if it is not met. */
  readonly expected: string;
  /**
   * How the scenario waits, which decides what runs at the same time. undefined: it hardly waits and runs alone.
   *
   * - `long`: it waits for a long time, so other scenarios run at the same time.
   * - `short`: it waits for a short time. Other scenarios run at the same time only with `--quick`.
   * - `busy`: it waits for leases and reconnects, and publishes in between. `--quick` runs a few of these at a time,
   *   but not beside scenarios with time limits.
   * - `failover`: it waits until servers have agreed on a new master. A few of these always run at the same time.
   */
  readonly waits?: 'long' | 'short' | 'busy' | 'failover';
  /** Whether it measures the heap while it waits, so that it needs a separate process even with `--quick`. */
  readonly measuresHeap?: true;
  /** What `--quick` shortens; undefined: nothing. */
  readonly shortened?: string;
  /** Options of the server, or `none` if `run` starts its servers. Default: without persistence. */
  readonly server?: LocalRedisOptions | 'none';
  /** Injects the fault. Afterwards `Testbed.checkHistory` checks the whole history. */
  readonly run: (testbed: Testbed) => Promise<void>;
}

// A scenario: one fault and its expected result.

import type { LocalRedisOptions } from '@tickbus/local-redis';
import type { Testbed } from './testbed.ts';

export interface Scenario {
  /** Number in the list of faults and a short name: `03-server-paused`. */
  readonly name: string;
  /** The expected result in one sentence. `run` throws if it is not met. */
  readonly expected: string;
  /**
   * How the scenario waits. undefined: it is busy all the time and runs alone.
   *
   * - `long`: it waits for a long time, so the whole list runs it in a separate process beside the others.
   * - `short`: only `--quick` runs it beside others.
   * - `busy`: it waits for leases and reconnects and publishes in between. `--quick` runs a few of these at a time,
   *   apart from the scenarios with real-time bounds.
   */
  readonly waits?: 'long' | 'short' | 'busy';
  /** Whether it measures the heap while it waits, so that it needs a separate process even with `--quick`. */
  readonly measuresHeap?: true;
  /** What `--quick` shortens; undefined: nothing. */
  readonly shortened?: string;
  /** Options of the server. Default: without persistence. */
  readonly server?: LocalRedisOptions;
  /** `Testbed.checkHistory` checks the whole history afterwards. */
  readonly run: (testbed: Testbed) => Promise<void>;
}

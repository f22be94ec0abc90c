// What a scenario is: one fault, and what must come of it.

import type { LocalRedisOptions } from '@tickbus/local-redis';
import type { Testbed } from './testbed.ts';

export interface Scenario {
  /** The number in the list of faults, and words: `03-server-paused`. */
  readonly name: string;
  /** What must be so, in one sentence; `run` throws where it is not. */
  readonly expected: string;
  /**
   * It mostly waits, so that `--quick` runs it at the same time as all others of this kind. `long`: the whole list runs it in a
   * process of its own, beside everything else. `busy`: it waits for leases and reconnects and publishes in between, so that `--quick`
   * runs a few of this kind at a time, apart from those whose bounds are in real time.
   */
  readonly waits?: 'long' | 'short' | 'busy';
  /** It measures the heap while it waits, so that it has its process to itself even in `--quick`. */
  readonly measuresHeap?: true;
  /** What `--quick` makes smaller; undefined: nothing. */
  readonly shortened?: string;
  /** How its server is started. Default: without persistence. */
  readonly server?: LocalRedisOptions;
  /** After it, the whole history is checked: see `Testbed.checkHistory`. */
  readonly run: (testbed: Testbed) => Promise<void>;
}

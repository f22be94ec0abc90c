// Where a soak runs and which faults it injects: on a single server, or on a cluster.

import type { Random } from '@tickbus/test-kit/random';
import type { LeaseContest } from './lease-contest.ts';

export interface SoakSetting {
  /** The ports of the publishers and subscribers; undefined: the address of the testbed. */
  readonly ports: readonly (number | undefined)[];
  /** Whether a server can take over that lacks messages, so that last values are given again. */
  readonly mayRepeatLastValues: boolean;
  /** Injects a random fault. @returns its name */
  inject(random: Random, contest: LeaseContest): Promise<string>;
  /** Ends all faults. Resolves when the servers work. */
  heal(): Promise<void>;
}

// The statistics and the readiness of a bar builder.

import type { PublishCounts } from './bar-publisher.ts';
import type { Ignored } from './bars/bar-builder.ts';

export type Role = 'starting' | 'standby' | 'active' | 'stopping' | 'stopped';

export interface BarStats extends PublishCounts {
  readonly role: Role;
  /** Times this builder became active. */
  readonly takeOvers: number;
  /** Bars that are built and not published: on standby, those that the active builder has not published yet. */
  readonly waiting: number;
  /** See `Publications`. */
  readonly lost: number;
  readonly unrevised: number;
  readonly settledEarly: number;
  readonly ignored: Readonly<Ignored>;
}

/** Ready: connected, and on standby or able to publish. */
export interface Readiness {
  readonly ready: boolean;
  readonly role: Role;
  readonly redis: 'connected' | 'disconnected';
  /** Why Redis does not accept the bars or the lease. */
  readonly detail?: string;
}

// The states and events of a lease.

import type { FenceToken } from '../transport/port.ts';

export type LeaseState = 'idle' | 'standby' | 'holding_off' | 'held' | 'released' | 'closed';

export interface LeaseGained {
  /** Grows with every acquisition by any process, so that writes of an older holder can be recognised. */
  readonly token: FenceToken;
  /** Aborted when the lease is lost or released. */
  readonly signal: AbortSignal;
}

export interface LeaseLost {
  /** The token that is no longer valid. */
  readonly token: FenceToken;
  /**
   * `expired`: not renewed in time, by the holder's own clock. `taken`: the server reports that the lease is no longer
   * ours.
   */
  readonly reason: 'expired' | 'taken';
}

export interface LeaseEvents {
  gained: LeaseGained;
  /** Not emitted when the lease is released. */
  lost: LeaseLost;
  /** Every change of state, after `gained` or `lost`. */
  state: { readonly state: LeaseState; readonly was: LeaseState };
}

/** The names of LeaseEvents, for `checkListener`. */
export const LEASE_EVENTS: Readonly<Record<keyof LeaseEvents, true>> = {
  gained: true,
  lost: true,
  state: true,
};

// The states and events of a lease.

import type { FenceToken } from '../transport/port.ts';

export type LeaseState = 'idle' | 'standby' | 'holding_off' | 'held' | 'released' | 'closed';

export interface LeaseGained {
  /** Grows with every acquisition by anybody, so that what is written under it can be told from what an older holder writes. */
  readonly token: FenceToken;
  /** Aborted when the lease is lost or given up. */
  readonly signal: AbortSignal;
}

export interface LeaseLost {
  /** The token that is no longer worth anything. */
  readonly token: FenceToken;
  /** `expired`: it could not be renewed in time, by the holder's own clock. `taken`: the server says that it is not ours any more. */
  readonly reason: 'expired' | 'taken';
}

export interface LeaseEvents {
  gained: LeaseGained;
  /** Not told of a lease that was released. */
  lost: LeaseLost;
  /** Every change of state, after `gained` or `lost`. */
  state: { readonly state: LeaseState; readonly was: LeaseState };
}

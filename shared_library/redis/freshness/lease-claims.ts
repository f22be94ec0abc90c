// The leases that feed statuses claim, passed on at a limited rate, because each claim costs a query.

import type { Clock } from '../runtime/clock.ts';
import type { FenceToken } from '../transport/port.ts';

/** The maximum number of claims per channel that are passed on at once within `CLAIM_INTERVAL_MS`. */
const MAX_CLAIMS = 10;
const CLAIM_INTERVAL_MS = 100;

interface RecentClaims {
  count: number;
  /** The last claim that was not passed on. */
  last: FenceToken | undefined;
}

export class LeaseClaims {
  readonly #clock: Clock;
  readonly #onClaim: (channel: string, lease: FenceToken) => void;
  /** The claims of the last 100 ms, by channel. */
  readonly #recent = new Map<string, RecentClaims>();

  constructor(clock: Clock, onClaim: (channel: string, lease: FenceToken) => void) {
    this.#clock = clock;
    this.#onClaim = onClaim;
  }

  /** Passes on the first claims at once, then only the last one of each 100 ms. */
  add(channel: string, lease: FenceToken): void {
    const recent = this.#recent.get(channel);
    if (recent !== undefined && recent.count >= MAX_CLAIMS) {
      recent.last = lease;
      return;
    }
    if (recent === undefined) this.#start(channel);
    else recent.count++;
    this.#onClaim(channel, lease);
  }

  #start(channel: string): void {
    const recent: RecentClaims = { count: 1, last: undefined };
    this.#recent.set(channel, recent);
    this.#clock.after(CLAIM_INTERVAL_MS, () => {
      this.#recent.delete(channel);
      if (recent.last !== undefined) this.add(channel, recent.last);
    });
  }
}

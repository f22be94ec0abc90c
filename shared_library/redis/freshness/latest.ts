// The public types of freshness: a value with its verdict, an instrument, and the timeouts.

import type { Verdict } from './verdict.ts';

/**
 * The newest value of a key and the verdict on it. Ages in whole milliseconds, rounded up so that nothing seems younger
 * than it is; Infinity if unknown.
 */
export interface Latest<M> {
  /**
   * The newest message received; undefined if none. Messages of plain clients do not count, because their age is
   * unknown. It is decoded from its bytes, so it is not the object that handlers got, except for snapshots and
   * recovered messages.
   */
  readonly message: M | undefined;
  readonly verdict: Verdict;
  /** Why the verdict was reached: a sentence for people. */
  readonly reason: string;
  /** The time since the server published the message. */
  readonly changedAgoMs: number;
  /** The time since the feed last proved to work, so that a newer value would have arrived. */
  readonly confirmedAgoMs: number;
  /** By how much these ages may be too small. */
  readonly errorMs: number;
  /** The gateway's status of the instrument; undefined if none was published. */
  readonly instrument: Instrument | undefined;
}

export interface Instrument {
  /** `subscribed`, `refused`, `unknown` or `unsubscribed`. */
  readonly state: string;
  readonly detail: string | undefined;
  readonly feed: string;
}

/** The feed changed the state of an instrument that is in the `keys` of a subscription. */
export interface InstrumentChange extends Instrument {
  readonly channel: string;
  readonly key: string;
}

export interface FreshnessTimes {
  /** A gateway counts as down after this many missed heartbeats. Default 3. */
  readonly missedHeartbeats?: number | undefined;
  /**
   * Milliseconds without proof that the link works until it counts as down. It is checked every second. Default 2,000.
   */
  readonly linkTimeoutMs?: number | undefined;
}

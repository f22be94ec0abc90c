// What a subscriber reports of a value and its instrument, and the times it judges by.

import type { Verdict } from './verdict.ts';

/**
 * The newest value of a key, and whether it may be believed now. Ages in whole milliseconds, rounded up so that nothing looks younger than it
 * is; Infinity where there is none.
 */
export interface Latest<M> {
  /**
   * The newest that was received; undefined where none was. Only what tickbus published counts: the rest cannot be dated. Read anew from
   * its bytes, so that no handler has the same object, but for a snapshot or what was recovered.
   */
  readonly message: M | undefined;
  readonly verdict: Verdict;
  /** Why, in a sentence for people. */
  readonly reason: string;
  /** How long ago the server published it. */
  readonly changedAgoMs: number;
  /** How long ago it was last known that nothing newer exists, because the feed was heard. */
  readonly confirmedAgoMs: number;
  /** By how much these ages may be too small. */
  readonly errorMs: number;
  /** What the gateway says of the instrument; undefined: nothing. */
  readonly instrument: Instrument | undefined;
}

export interface Instrument {
  /** `subscribed`, `refused`, `unknown` or `unsubscribed`. */
  readonly state: string;
  readonly detail: string | undefined;
  readonly feed: string;
}

/** An instrument that a subscription names has changed its state at the feed. */
export interface InstrumentChange extends Instrument {
  readonly channel: string;
  readonly key: string;
}

export interface FreshnessTimes {
  /** How many heartbeats of a gateway may be missing before it counts as down. Default 3. */
  readonly missedHeartbeats?: number | undefined;
  /** Milliseconds without proof that the link works before it counts as down. The proof is sought every second. Default 2,000. */
  readonly linkTimeoutMs?: number | undefined;
}

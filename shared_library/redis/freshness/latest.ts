// The public types of freshness: a value with its verdict, an instrument, and the timeouts.

import type { Verdict } from './verdict.ts';

/**
 * The newest value of a key and the verdict on it. Ages are in whole milliseconds, rounded up so that nothing seems
 * younger than it is; Infinity if unknown.
 */
export interface Latest<M> {
  /**
   * The newest message received; undefined if none. Messages of plain clients (which do not use tickbus) are ignored,
   * because their age is unknown. Each call returns a copy of its own.
   */
  readonly message: M | undefined;
  readonly verdict: Verdict;
  /** Why the verdict was reached: a sentence for people. */
  readonly reason: string;
  /** The time since the server published the message. */
  readonly changedAgoMs: number;
  /** The time since the feed last proved to work, so that a newer value would have arrived. */
  readonly confirmedAgoMs: number;
  /** The maximum error of these ages: the true ages may be larger by up to this much. */
  readonly errorMs: number;
  /** The gateway's status of the instrument; undefined if none was published. */
  readonly instrument: Instrument | undefined;
}

export interface Instrument {
  /** `subscribed`, `refused`, `unknown` or `unsubscribed`. */
  readonly state: string;
  /** `halted`; `no_price` if the venue has no price now; `trading` or undefined if it has one. */
  readonly market?: string | undefined;
  /**
   * The price band that the venue has announced: nothing may be executed outside of it. Undefined if none is known,
   * also while the feed does not deliver: the band may have ended.
   */
  readonly limitDown?: number | undefined;
  readonly limitUp?: number | undefined;
  readonly detail: string | undefined;
  readonly feed: string;
}

/** The feed changed the state of an instrument that is in the `keys` of a subscription. */
export interface InstrumentChange extends Instrument {
  readonly channel: string;
  readonly key: string;
}

export interface FreshnessTimes {
  /** A gateway is considered down after this many missed heartbeats. Default 3. */
  readonly missedHeartbeats?: number | undefined;
  /**
   * The link is considered down after this many milliseconds without proof that it works. The subscriber checks it
   * every second. Default 2,000.
   */
  readonly linkTimeoutMs?: number | undefined;
}

/** What `latest` returns for a channel without a subscription. */
export const NOT_SUBSCRIBED: Latest<never> = Object.freeze({
  message: undefined,
  verdict: 'link_down',
  reason: 'The channel has no subscription.',
  changedAgoMs: Number.POSITIVE_INFINITY,
  confirmedAgoMs: Number.POSITIVE_INFINITY,
  errorMs: Number.POSITIVE_INFINITY,
  instrument: undefined,
});

export function isTrading({ market = 'trading' }: Instrument): boolean {
  return market === 'trading';
}

/** @param verdict on a value of the instrument; undefined: none of those that make the band unknown */
export function publicInstrument(
  { state, market, limitDown, limitUp, detail, feed }: Instrument,
  verdict?: Verdict,
): Instrument {
  const hasBand = verdict === undefined || !DISCONNECTED.has(verdict);
  return {
    state,
    ...(market !== undefined && { market }),
    ...(hasBand && limitDown !== undefined && { limitDown }),
    ...(hasBand && limitUp !== undefined && { limitUp }),
    detail,
    feed,
  };
}

/** News of the venue does not arrive. */
const DISCONNECTED: ReadonlySet<Verdict> = new Set(['feed_down', 'gateway_down', 'link_down', 'recovering']);

// The verdicts on the freshness of a value, and the rules by which they are reached.

import type { Bounds } from './age-bounds.ts';

/**
 * - `fresh`: the value is within its bounds; `requireFresh` returns it.
 * - `quiet_market`: everything works, but no message for this key has arrived within its bounds.
 * - `not_requested`: the gateway does not request this key from the venue, because no subscriber asks for it.
 * - `unknown_instrument`: the venue has no such instrument, for example because the key is misspelt.
 * - `halted`: the venue has halted trading in this key.
 * - `no_price`: the venue has no price for this key now, so the last value is void.
 * - `feed_down`: the gateway reports that the broker's feed does not deliver at all, or not this instrument.
 * - `gateway_down`: no heartbeat of the gateway arrives although the link works, or the gateway is shutting down.
 * - `link_down`: this subscriber's link to Redis is not proved to work.
 * - `recovering`: this subscriber is recovering missed messages.
 * - `lagging`: received messages wait too long for this subscriber's own handlers.
 */
export type Verdict =
  | 'fresh'
  | 'quiet_market'
  | 'not_requested'
  | 'unknown_instrument'
  | 'halted'
  | 'no_price'
  | 'feed_down'
  | 'gateway_down'
  | 'link_down'
  | 'recovering'
  | 'lagging';

/** The known facts at one instant. Ages in milliseconds; Infinity if an event never happened or its time is unknown. */
export interface Facts {
  /** Why the link does not work; undefined while it works. */
  readonly linkFault: string | undefined;
  readonly isRecovering: boolean;
  /** Time since the last request for the channel's head (its newest position) that found no message missing. */
  readonly linkConfirmedAgoMs: number;
  /** The link is considered down if `linkConfirmedAgoMs` is at least this. */
  readonly linkTimeoutMs: number;
  /** How long the oldest message has been waiting for a handler. */
  readonly behindMs: number;
  /** Undefined for a channel without a gateway. */
  readonly feed: FeedFacts | undefined;
  /** The age of the value. */
  readonly changedAgoMs: number;
  /** The age of the newest message of the whole channel. */
  readonly channelChangedAgoMs: number;
  /** The maximum error of all ages: the true ages may be larger by up to this much. */
  readonly errorMs: number;
}

export interface FeedFacts {
  /** Why the gateway's status is unknown or cannot be trusted; undefined if it can. */
  readonly fault: string | undefined;
  readonly name: string;
  readonly state: string;
  readonly detail: string | undefined;
  readonly heartbeatAgoMs: number;
  /** The gateway is considered down if `heartbeatAgoMs` is at least this. */
  readonly heartbeatTimeoutMs: number;
  readonly lastFrameAgoMs: number;
  /** How long the feed has been live without interruption; -Infinity if unknown. */
  readonly liveForMs: number;
  /** True if the gateway reports every instrument that it subscribes to. A key without a status may be undelivered. */
  readonly reportsInstruments?: boolean | undefined;
  /** The gateway's status of the key; undefined if it published none. */
  readonly instrument: InstrumentFacts | undefined;
}

interface InstrumentFacts {
  readonly state: string;
  readonly market?: string | undefined;
  readonly detail: string | undefined;
  readonly feed: string;
  /** How long the instrument has been in this state. */
  readonly forMs: number;
}

export interface VerdictWithReason {
  readonly verdict: Verdict;
  /** A sentence for people. */
  readonly reason: string;
  readonly confirmedAgoMs: number;
}

/** The first fault on the way from this process to the broker decides, because it hides all faults behind it. */
export function judge(facts: Facts, bounds: Bounds): VerdictWithReason {
  const confirmedAgoMs = confirmedAgo(facts);
  const [verdict, reason] =
    linkFinding(facts, bounds) ??
    feedFinding(facts.feed) ??
    freshFinding(facts, bounds) ??
    demandFinding(facts.feed) ??
    ageFinding(facts, bounds, confirmedAgoMs);
  return { verdict, reason, confirmedAgoMs };
}

/** A message for any key confirms the feed, and so does a frame from the broker that the gateway reports. */
function confirmedAgo({ feed, changedAgoMs, channelChangedAgoMs }: Facts): number {
  if (feed === undefined) return changedAgoMs;
  return Math.min(changedAgoMs, channelChangedAgoMs, feed.lastFrameAgoMs);
}

type VerdictAndReason = readonly [Verdict, string];

function linkFinding(facts: Facts, { maxAgeMs }: Bounds): VerdictAndReason | undefined {
  const { linkFault, isRecovering, linkConfirmedAgoMs, linkTimeoutMs, behindMs } = facts;
  if (linkFault !== undefined) return ['link_down', linkFault];
  if (isRecovering) return ['recovering', 'The subscriber is recovering missed messages.'];
  if (linkConfirmedAgoMs >= linkTimeoutMs) {
    return [
      'link_down',
      linkConfirmedAgoMs === Number.POSITIVE_INFINITY
        ? 'The head of the channel was never confirmed: this Redis user may not read it.'
        : `The head of the channel was last confirmed ${ms(linkConfirmedAgoMs)} ago: the link or this process hangs.`,
    ];
  }
  if (behindMs > maxAgeMs)
    return ['lagging', `Messages have been waiting for a handler for ${ms(behindMs)}.`];
  return undefined;
}

function feedFinding(feed: FeedFacts | undefined): VerdictAndReason | undefined {
  if (feed === undefined) return undefined;
  const { fault, name, state, detail, heartbeatAgoMs, heartbeatTimeoutMs, instrument } = feed;
  if (fault !== undefined) return ['gateway_down', fault];
  if (heartbeatAgoMs === Number.POSITIVE_INFINITY)
    return ['gateway_down', `The age of the last heartbeat of the gateway of ${name} is unknown.`];
  if (heartbeatAgoMs >= heartbeatTimeoutMs)
    return ['gateway_down', `No heartbeat came from the gateway of ${name} for ${ms(heartbeatAgoMs)}.`];
  if (state === 'stopping' || state === 'stopped')
    return ['gateway_down', sentence(`The gateway of ${name} is ${state}`, detail)];
  if (state !== 'live') return ['feed_down', sentence(`The feed ${name} is ${state}`, detail)];
  if (instrument === undefined) return undefined;
  if (instrument.market === 'halted')
    return ['halted', sentence('The venue has halted trading in this key', instrument.detail)];
  if (instrument.market === 'no_price')
    return ['no_price', 'The venue has neither a trade nor both sides of a quote for this key.'];
  switch (instrument.state) {
    case 'subscribed':
      return undefined;
    case 'unsubscribed':
      return notRequested(feed);
    case 'unknown':
      return [
        'unknown_instrument',
        sentence(`The feed ${instrument.feed} does not know this key. Check its spelling`, instrument.detail),
      ];
    default: {
      const text = `The feed ${instrument.feed} does not deliver this key (${instrument.state})`;
      return ['feed_down', sentence(text, instrument.detail)];
    }
  }
}

function freshFinding({ changedAgoMs, errorMs }: Facts, { maxAgeMs }: Bounds): VerdictAndReason | undefined {
  return changedAgoMs + errorMs <= maxAgeMs ? ['fresh', 'The value changed within maxAgeMs.'] : undefined;
}

/** A gateway that reports instruments has a status for each that it subscribes to. */
function demandFinding(feed: FeedFacts | undefined): VerdictAndReason | undefined {
  return feed?.reportsInstruments && feed.instrument === undefined ? notRequested(feed) : undefined;
}

/** The detail of a live feed says which requests exceed its limits. */
function notRequested({ name, detail }: FeedFacts): VerdictAndReason {
  const text =
    `The gateway of ${name} has no subscription to this key: no bot requests it, or the venue has not confirmed it ` +
    'yet. Subscribe with this key in `keys`, or add it to SYMBOLS of the gateway, and check its spelling';
  return ['not_requested', sentence(text, detail)];
}

function ageFinding(facts: Facts, bounds: Bounds, confirmedAgoMs: number): VerdictAndReason {
  const { changedAgoMs, errorMs } = facts;
  const { maxAgeMs, maxQuietMs } = bounds;
  if (changedAgoMs === Number.POSITIVE_INFINITY) return ['quiet_market', NEVER];
  if (changedAgoMs + errorMs > maxQuietMs)
    return ['quiet_market', `The value has not changed for ${ms(changedAgoMs)}.`];
  if (confirmedAgoMs + errorMs > maxAgeMs)
    return ['quiet_market', `The key is quiet, and nothing came from the feed for ${ms(confirmedAgoMs)}.`];
  if (!wasLiveSince(facts))
    return [
      'quiet_market',
      'The feed, or its subscription to this key, was interrupted after the value changed.',
    ];
  return ['fresh', 'The key is quiet, and the feed has been live ever since the value changed.'];
}

const NEVER =
  'No value of this key has ever come, or none with a server timestamp. Check the spelling of the key.';

/** False if the feed, or its subscription to the key, was down after the value changed: a newer one may be missing. */
function wasLiveSince({ feed, changedAgoMs, errorMs }: Facts): boolean {
  if (feed === undefined) return false;
  const { reportsInstruments, instrument } = feed;
  const unknownForMs = reportsInstruments ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const liveForMs = Math.min(feed.liveForMs, instrument?.forMs ?? unknownForMs);
  return changedAgoMs + errorMs <= liveForMs;
}

function sentence(text: string, detail: string | undefined): string {
  return detail === undefined ? `${text}.` : `${text}: ${detail.replace(/\.$/, '')}.`;
}

function ms(value: number): string {
  return `${Math.ceil(value)} ms`;
}

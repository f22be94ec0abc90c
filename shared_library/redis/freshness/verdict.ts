// Whether a value may be believed: the verdicts, and how one is reached from what is known.

import { TickbusError } from '../errors.ts';

/**
 * - `fresh`: within its bounds; what `requireFresh` accepts.
 * - `quiet_market`: everything works, and nothing has come for this key for longer than its bounds allow.
 * - `feed_down`: the gateway says that the broker's feed does not deliver: at all, or this instrument.
 * - `gateway_down`: nothing is heard of the gateway although our own link works; or it says that it is leaving.
 * - `link_down`: our own link to Redis is not proved to work.
 * - `recovering`: our reader is catching up.
 * - `lagging`: what was received waits for our own handlers.
 */
export type Verdict =
  | 'fresh'
  | 'quiet_market'
  | 'feed_down'
  | 'gateway_down'
  | 'link_down'
  | 'recovering'
  | 'lagging';

/** In milliseconds. */
export interface Bounds {
  /** How old a value may be, and how long ago its feed may have been confirmed. */
  readonly maxAgeMs: number;
  /** How long its key may be quiet on a feed that is confirmed. */
  readonly maxQuietMs: number;
}

/** What is known at one instant. Ages in milliseconds; Infinity where something never was, or cannot be dated. */
export interface Facts {
  /** Why the link does not work; undefined while it does. */
  readonly linkFault: string | undefined;
  readonly isRecovering: boolean;
  /** Since the head of the channel was last asked for, and found where the reader stands. */
  readonly linkConfirmedAgoMs: number;
  /** From how long on that means a link that does not work. */
  readonly linkTimeoutMs: number;
  /** How long messages have been waiting for a handler. */
  readonly behindMs: number;
  /** Undefined for a channel that no gateway feeds. */
  readonly feed: FeedFacts | undefined;
  /** The value's. */
  readonly changedAgoMs: number;
  /** Of the newest message of the whole channel. */
  readonly channelChangedAgoMs: number;
  /** By how much all ages may be too small. */
  readonly errorMs: number;
}

export interface FeedFacts {
  /** Why nothing can be known of it; undefined while it is told of. */
  readonly fault: string | undefined;
  /** What it is called. */
  readonly name: string;
  readonly state: string;
  readonly detail: string | undefined;
  readonly heartbeatAgoMs: number;
  /** From how long on that means a gateway that is down. */
  readonly heartbeatTimeoutMs: number;
  readonly lastFrameAgoMs: number;
  /** Since when the feed has been live without interruption; -Infinity: not known to be. */
  readonly liveForMs: number;
  /** What the gateway says of the key; undefined: nothing. */
  readonly instrument: InstrumentFacts | undefined;
}

interface InstrumentFacts {
  readonly state: string;
  readonly detail: string | undefined;
  readonly feed: string;
  /** Since when. */
  readonly forMs: number;
}

export interface Judgement {
  readonly verdict: Verdict;
  /** Why, in a sentence for people. */
  readonly reason: string;
  readonly confirmedAgoMs: number;
}

/** @throws TickbusError `TICKBUS_INVALID_OPTION` */
export function checkedBound(field: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new TickbusError('TICKBUS_INVALID_OPTION', `${field} is ${value}. Use a number above 0.`, { field });
}

/** The nearest fault first: what stands behind it cannot be seen. */
export function judge(facts: Facts, bounds: Bounds): Judgement {
  const confirmedAgoMs = confirmedAgo(facts);
  const [verdict, reason] =
    faultOfLink(facts, bounds) ?? faultOfFeed(facts.feed) ?? ofAge(facts, bounds, confirmedAgoMs);
  return { verdict, reason, confirmedAgoMs };
}

/** A message of any key shows that the feed worked, and so does a frame that the gateway tells of. */
function confirmedAgo({ feed, changedAgoMs, channelChangedAgoMs }: Facts): number {
  if (feed === undefined) return changedAgoMs;
  return Math.min(changedAgoMs, channelChangedAgoMs, feed.lastFrameAgoMs);
}

type Finding = readonly [Verdict, string];

function faultOfLink(facts: Facts, { maxAgeMs }: Bounds): Finding | undefined {
  const { linkFault, isRecovering, linkConfirmedAgoMs, linkTimeoutMs, behindMs } = facts;
  if (linkFault !== undefined) return ['link_down', linkFault];
  if (isRecovering) return ['recovering', 'The channel is being caught up with.'];
  if (linkConfirmedAgoMs >= linkTimeoutMs) {
    return [
      'link_down',
      linkConfirmedAgoMs === Number.POSITIVE_INFINITY
        ? 'The head of the channel was never confirmed: this user may not read it.'
        : `The head of the channel was last confirmed ${ms(linkConfirmedAgoMs)} ago: the link or this process hangs.`,
    ];
  }
  if (behindMs > maxAgeMs)
    return ['lagging', `Messages have been waiting for a handler for ${ms(behindMs)}.`];
  return undefined;
}

function faultOfFeed(feed: FeedFacts | undefined): Finding | undefined {
  if (feed === undefined) return undefined;
  const { fault, name, state, detail, heartbeatAgoMs, heartbeatTimeoutMs, instrument } = feed;
  if (fault !== undefined) return ['gateway_down', fault];
  if (heartbeatAgoMs >= heartbeatTimeoutMs)
    return ['gateway_down', `Nothing was heard of the gateway of ${name} for ${ms(heartbeatAgoMs)}.`];
  if (state === 'stopping' || state === 'stopped')
    return ['gateway_down', sentence(`The gateway of ${name} is ${state}`, detail)];
  if (state !== 'live') return ['feed_down', sentence(`The feed ${name} is ${state}`, detail)];
  if (instrument === undefined || instrument.state === 'subscribed') return undefined;
  const what = `The feed ${instrument.feed} does not deliver it (${instrument.state})`;
  return ['feed_down', sentence(what, instrument.detail)];
}

function ofAge(facts: Facts, bounds: Bounds, confirmedAgoMs: number): Finding {
  const { changedAgoMs, errorMs } = facts;
  const { maxAgeMs, maxQuietMs } = bounds;
  if (changedAgoMs + errorMs <= maxAgeMs) return ['fresh', 'It changed within maxAgeMs.'];
  if (changedAgoMs === Number.POSITIVE_INFINITY)
    return ['quiet_market', 'Nothing that can be dated was received of it.'];
  if (changedAgoMs + errorMs > maxQuietMs)
    return ['quiet_market', `It has not changed for ${ms(changedAgoMs)}.`];
  if (confirmedAgoMs + errorMs > maxAgeMs)
    return ['quiet_market', `It is quiet, and nothing came from the feed for ${ms(confirmedAgoMs)}.`];
  if (!wasLiveSince(facts))
    return ['quiet_market', 'It is from before the feed, or its subscription there, was last interrupted.'];
  return ['fresh', 'It is quiet, and the feed has been live ever since.'];
}

/** What changed while the feed, or the subscription of this instrument, was down, nobody here can know. */
function wasLiveSince({ feed, changedAgoMs, errorMs }: Facts): boolean {
  if (feed === undefined) return false;
  const liveForMs = Math.min(feed.liveForMs, feed.instrument?.forMs ?? Number.POSITIVE_INFINITY);
  return changedAgoMs + errorMs <= liveForMs;
}

function sentence(what: string, why: string | undefined): string {
  return why === undefined ? `${what}.` : `${what}: ${why.replace(/\.$/, '')}.`;
}

function ms(value: number): string {
  return value === Number.POSITIVE_INFINITY ? 'ever' : `${Math.ceil(value)} ms`;
}

// The three lamps. Each is judged by what belongs to it alone: what a broken link hides is `unknown`, never `bad`, so that the one
// lamp that is red names what is broken.

import type { FeedStatus, LinkStatus } from 'tickbus';
import type { Lamp, LampState } from '../protocol.ts';

/** A lamp before it is known since when. */
export type Judged = Omit<Lamp, 'since'>;

/** The newest word of a gateway, and when it came. */
export interface FeedHeard {
  readonly status: FeedStatus;
  readonly at: number;
}

/** Heartbeats of the gateway that may be missing. */
const MISSED = 3;
const DEFAULT_INTERVAL_MS = 1_000;

export function redisLamp(link: LinkStatus | undefined, redis: string): Judged {
  switch (link?.type) {
    case 'connected':
      return judged('ok', 'connected', `Connected to ${redis}.`);
    case 'stale':
      return judged(
        'bad',
        'silent',
        `${redis} does not answer: it hangs, or the network drops what is sent.`,
      );
    case 'disconnected':
    case 'failed':
      return judged('bad', link.type === 'failed' ? 'refused' : 'down', link.error.message);
    case 'reconnecting':
      return judged('bad', 'down', `Reconnecting to ${redis}.`);
    case 'closed':
      return judged('unknown', 'closed', 'The monitor is shutting down.');
    default:
      return judged('warn', 'connecting', `Connecting to ${redis}.`);
  }
}

/**
 * The connection to the broker, as the gateway that holds it tells, and who that is.
 *
 * @param backAt when the Redis link came back: what a gateway told before could not be heard
 */
export function brokerLamp(redis: LampState, feed: FeedHeard | undefined, now: number, backAt = 0): Judged {
  if (redis !== 'ok') return judged('unknown', 'not seen', 'Not to be seen while the Redis link is down.');
  if (feed === undefined)
    return judged('bad', 'no gateway', 'No gateway has told anything of the broker link.');
  const { status } = feed;
  const silentAfter = MISSED * (status.interval_ms ?? DEFAULT_INTERVAL_MS);
  const holder = holderOf(status);
  if (status.state === 'stopped' || status.state === 'stopping')
    return judged('bad', `gateway ${status.state}`, `The gateway of ${status.feed} has ${status.state}.`);
  if (now - Math.max(feed.at, backAt) > silentAfter)
    return judged('bad', 'gateway silent', `No word from ${lastHolderOf(status)}.`);
  if (now - feed.at > silentAfter)
    return judged(
      'unknown',
      'waiting',
      'The Redis link has just come back; the gateway’s next word is awaited.',
    );
  if (status.state === 'down') return judged('bad', 'down', `${status.detail ?? status.feed} ${holder}`);
  if (status.state === 'connecting')
    return judged('warn', 'connecting', `Connecting to ${status.feed}. ${holder}`);
  return judged('ok', 'connected', `Connected to ${status.feed}. ${holder}`);
}

export interface DataSeen {
  /** When the newest price came, of whatever instrument. */
  readonly newestAt: number | undefined;
  /** Instruments by what is thought of them. */
  readonly fresh: number;
  readonly all: number;
  readonly maxAgeMs: number;
  /** Since when the broker link is as it is. */
  readonly brokerSince: number;
}

/** Whether what ought to come does come. */
export function dataLamp(
  redis: LampState,
  broker: LampState,
  feed: FeedHeard | undefined,
  seen: DataSeen,
  now: number,
): Judged {
  if (redis !== 'ok') return judged('unknown', 'not seen', 'Not to be seen while the Redis link is down.');
  if (broker === 'bad' || broker === 'unknown')
    return judged(
      'unknown',
      'no feed',
      `No prices are expected while the broker link is ${broker === 'bad' ? 'down' : 'not known'}.`,
    );
  const { newestAt, fresh, all, maxAgeMs, brokerSince } = seen;
  const count = `${fresh} of ${all} fresh`;
  if (newestAt !== undefined && now - newestAt <= maxAgeMs)
    return judged('ok', 'fresh', `Prices come in. ${count}.`);
  if (broker === 'warn') return judged('unknown', 'no feed', 'The broker link is coming up.');
  if (feed?.status.instruments === 0) return judged('ok', 'nothing asked', 'No instrument is asked for.');
  if (now - brokerSince <= maxAgeMs)
    return judged('unknown', 'waiting', 'The broker link has just come up; its first price is awaited.');
  if (isQuiet(feed, maxAgeMs, now))
    return judged('warn', 'quiet', 'The broker speaks, and no price has changed.');
  return judged('bad', 'stalled', 'The broker link is up and nothing comes over it.');
}

/** The broker says something, and no prices. */
function isQuiet(feed: FeedHeard | undefined, maxAgeMs: number, now: number): boolean {
  if (feed === undefined || feed.status.state === 'silent') return false;
  const { last_frame_ago_ms: ago } = feed.status;
  return ago !== undefined && ago + (now - feed.at) <= maxAgeMs;
}

function holderOf({ holder, lease }: FeedStatus): string {
  if (lease === undefined) return holder === undefined ? 'No lease is held.' : `${holder}, without a lease.`;
  return `${holder ?? 'A gateway'} holds lease ${lease}.`;
}

function lastHolderOf({ holder, lease, feed }: FeedStatus): string {
  const who = holder ?? `the gateway of ${feed}`;
  return lease === undefined ? who : `${who}, which held lease ${lease}`;
}

function judged(state: LampState, text: string, detail: string): Judged {
  return { state, text, detail };
}

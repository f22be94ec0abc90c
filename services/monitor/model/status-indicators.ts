// The three lamps. Each is judged by what belongs to it alone: what a broken link hides is `unknown`, never `bad`, so that the one
// lamp that is red names what is broken.

import type { FeedStatus, LinkStatus } from 'tickbus';
import type { Indicator, IndicatorState } from '../page-protocol.ts';

/** A lamp before it is known since when. */
export type IndicatorStatus = Omit<Indicator, 'since'>;

/** The newest word of a gateway, and when it came. */
export interface GatewayHeartbeat {
  readonly status: FeedStatus;
  readonly receivedAt: number;
}

/** Heartbeats of the gateway that may be missing. */
const MISSED_HEARTBEATS = 3;
const DEFAULT_INTERVAL_MS = 1_000;

export function redisIndicator(link: LinkStatus | undefined, redis: string): IndicatorStatus {
  switch (link?.type) {
    case 'connected':
      return indicator('ok', 'connected', `Connected to ${redis}.`);
    case 'stale':
      return indicator(
        'bad',
        'silent',
        `${redis} does not answer: it hangs, or the network drops what is sent.`,
      );
    case 'disconnected':
    case 'failed':
      return indicator('bad', link.type === 'failed' ? 'refused' : 'down', link.error.message);
    case 'reconnecting':
      return indicator('bad', 'down', `Reconnecting to ${redis}.`);
    case 'closed':
      return indicator('unknown', 'closed', 'The monitor is shutting down.');
    default:
      return indicator('warn', 'connecting', `Connecting to ${redis}.`);
  }
}

/**
 * The connection to the broker, as the gateway that holds it tells, and who that is.
 *
 * @param backAt when the Redis link came back: what a gateway told before could not be heard
 */
export function brokerIndicator(
  redis: IndicatorState,
  feed: GatewayHeartbeat | undefined,
  now: number,
  backAt = 0,
): IndicatorStatus {
  if (redis !== 'ok') return indicator('unknown', 'not seen', 'Not to be seen while the Redis link is down.');
  if (feed === undefined)
    return indicator('bad', 'no gateway', 'No gateway has told anything of the broker link.');
  const { status } = feed;
  const silentAfter = MISSED_HEARTBEATS * (status.interval_ms ?? DEFAULT_INTERVAL_MS);
  const holder = describeLease(status);
  if (status.state === 'stopped' || status.state === 'stopping')
    return indicator('bad', `gateway ${status.state}`, `The gateway of ${status.feed} has ${status.state}.`);
  if (now - Math.max(feed.receivedAt, backAt) > silentAfter)
    return indicator('bad', 'gateway silent', `No word from ${describeLastHolder(status)}.`);
  if (now - feed.receivedAt > silentAfter)
    return indicator(
      'unknown',
      'waiting',
      'The Redis link has just come back; the gateway’s next word is awaited.',
    );
  if (status.state === 'down') return indicator('bad', 'down', `${status.detail ?? status.feed} ${holder}`);
  if (status.state === 'connecting')
    return indicator('warn', 'connecting', `Connecting to ${status.feed}. ${holder}`);
  return indicator('ok', 'connected', `Connected to ${status.feed}. ${holder}`);
}

export interface PriceActivity {
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
export function dataIndicator(
  redis: IndicatorState,
  broker: IndicatorState,
  feed: GatewayHeartbeat | undefined,
  seen: PriceActivity,
  now: number,
): IndicatorStatus {
  if (redis !== 'ok') return indicator('unknown', 'not seen', 'Not to be seen while the Redis link is down.');
  if (broker === 'bad' || broker === 'unknown')
    return indicator(
      'unknown',
      'no feed',
      `No prices are expected while the broker link is ${broker === 'bad' ? 'down' : 'not known'}.`,
    );
  const { newestAt, fresh, all, maxAgeMs, brokerSince } = seen;
  const count = `${fresh} of ${all} fresh`;
  if (newestAt !== undefined && now - newestAt <= maxAgeMs)
    return indicator('ok', 'fresh', `Prices come in. ${count}.`);
  if (broker === 'warn') return indicator('unknown', 'no feed', 'The broker link is coming up.');
  if (feed?.status.instruments === 0) return indicator('ok', 'nothing asked', 'No instrument is asked for.');
  if (now - brokerSince <= maxAgeMs)
    return indicator('unknown', 'waiting', 'The broker link has just come up; its first price is awaited.');
  if (isQuietMarket(feed, maxAgeMs, now))
    return indicator('warn', 'quiet', 'The broker speaks, and no price has changed.');
  return indicator('bad', 'stalled', 'The broker link is up and nothing comes over it.');
}

/** The broker says something, and no prices. */
function isQuietMarket(feed: GatewayHeartbeat | undefined, maxAgeMs: number, now: number): boolean {
  if (feed === undefined || feed.status.state === 'silent') return false;
  const { last_frame_ago_ms: ago } = feed.status;
  return ago !== undefined && ago + (now - feed.receivedAt) <= maxAgeMs;
}

function describeLease({ holder, lease }: FeedStatus): string {
  if (lease === undefined) return holder === undefined ? 'No lease is held.' : `${holder}, without a lease.`;
  return `${holder ?? 'A gateway'} holds lease ${lease}.`;
}

function describeLastHolder({ holder, lease, feed }: FeedStatus): string {
  const who = holder ?? `the gateway of ${feed}`;
  return lease === undefined ? who : `${who}, which held lease ${lease}`;
}

function indicator(state: IndicatorState, text: string, detail: string): IndicatorStatus {
  return { state, text, detail };
}

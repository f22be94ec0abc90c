// The three status indicators. If a broken link hides a state, its indicator is `unknown`, never `bad`. So a red
// indicator always names the broken part.

import type { FeedStatus, LinkStatus } from 'tickbus';
import type { Indicator, IndicatorState } from '../page-protocol.ts';

/** An indicator without the time of its last change. */
export type IndicatorStatus = Omit<Indicator, 'since'>;

/** The newest FEED_STATUS of a gateway. */
export interface GatewayHeartbeat {
  readonly status: FeedStatus;
  readonly receivedAt: number;
}

/** The gateway counts as silent after this many missed heartbeats. */
const MISSED_HEARTBEATS = 3;
const DEFAULT_INTERVAL_MS = 1_000;

/** @param down the channels whose own link is down, on a cluster */
export function redisIndicator(
  link: LinkStatus | undefined,
  redis: string,
  down: readonly string[] = [],
): IndicatorStatus {
  switch (link?.type) {
    case 'connected':
      if (down.length > 0)
        return indicator('bad', 'partly down', `No link to the node of ${down.join(', ')}.`);
      return indicator('ok', 'connected', `Connected to ${redis}.`);
    case 'stale':
      return indicator(
        'bad',
        'no response',
        `${redis} does not respond: the server hangs or the network drops packets.`,
      );
    case 'disconnected':
    case 'failed':
      return indicator('bad', link.type === 'failed' ? 'rejected' : 'down', link.error.message);
    case 'reconnecting':
      return indicator('bad', 'down', `Reconnecting to ${redis}.`);
    case 'closed':
      return indicator('unknown', 'closed', 'The monitor is shutting down.');
    default:
      return indicator('warn', 'connecting', `Connecting to ${redis}.`);
  }
}

/**
 * State of the broker link, as reported by the gateway that is connected to the broker. The detail names the gateway.
 *
 * @param redis the state of the link that FEED_STATUS uses
 * @param reconnectedAt when the Redis link was last restored; heartbeats before that may have been missed
 * @param heldLease the token of the lease according to Redis; undefined if nobody holds the lease
 */
export function brokerIndicator(
  redis: IndicatorState,
  feed: GatewayHeartbeat | undefined,
  now: number,
  reconnectedAt = 0,
  heldLease?: number,
): IndicatorStatus {
  if (redis !== 'ok') return indicator('unknown', 'unknown', 'Unknown while the Redis link is down.');
  if (feed === undefined) return indicator('bad', 'no gateway', 'No gateway has reported its broker link.');
  const { status } = feed;
  const silentAfter = MISSED_HEARTBEATS * (status.interval_ms ?? DEFAULT_INTERVAL_MS);
  const holder = describeLease(status);
  if (status.state === 'stopped' || status.state === 'stopping')
    return indicator(
      'bad',
      `gateway ${status.state}`,
      `The gateway of ${status.feed} ${status.state === 'stopped' ? 'has stopped' : 'is stopping'}.`,
    );
  if (now - Math.max(feed.receivedAt, reconnectedAt) > silentAfter)
    return indicator('bad', 'gateway silent', `No heartbeat from ${describeLastHolder(status)}.`);
  if (now - feed.receivedAt > silentAfter)
    return indicator(
      'unknown',
      'waiting',
      'The Redis link was just restored; waiting for the next heartbeat of the gateway.',
    );
  if (status.lease && status.lease !== heldLease)
    return indicator('unknown', 'not proved', `${holder} Redis does not confirm this lease.`);
  if (status.state === 'down' || status.state === 'degraded')
    return indicator('bad', status.state, `${status.detail ?? status.feed} ${holder}`);
  if (status.state === 'connecting')
    return indicator('warn', 'connecting', `Connecting to ${status.feed}. ${holder}`);
  return indicator('ok', 'connected', `Connected to ${status.feed}. ${holder}`);
}

export interface PriceActivity {
  /** When the newest price of any instrument arrived. */
  readonly newestAt: number | undefined;
  /** Number of instruments with a fresh price. */
  readonly fresh: number;
  /** Number of instruments with a price. */
  readonly all: number;
  readonly maxAgeMs: number;
  /** When the broker indicator entered its state. */
  readonly brokerSince: number;
}

/** Whether the expected prices arrive. @param redis the state of the link that PRICE_DATA uses */
export function dataIndicator(
  redis: IndicatorState,
  broker: IndicatorState,
  feed: GatewayHeartbeat | undefined,
  activity: PriceActivity,
  now: number,
): IndicatorStatus {
  if (redis !== 'ok') return indicator('unknown', 'unknown', 'Unknown while the Redis link is down.');
  if (broker === 'bad' || broker === 'unknown')
    return indicator(
      'unknown',
      'no feed',
      `No prices are expected while the broker link is ${broker === 'bad' ? 'down' : 'unknown'}.`,
    );
  const { newestAt, fresh, all, maxAgeMs, brokerSince } = activity;
  if (newestAt !== undefined && now - newestAt <= maxAgeMs)
    return indicator('ok', 'fresh', `Receiving prices. ${fresh} of ${all} are fresh.`);
  if (broker === 'warn') return indicator('unknown', 'no feed', 'The broker link is connecting.');
  if (feed?.status.instruments === 0) return indicator('ok', 'no symbols', 'No symbols are requested.');
  if (now - brokerSince <= maxAgeMs)
    return indicator(
      'unknown',
      'waiting',
      'The broker link was just established; waiting for the first price.',
    );
  if (isQuietMarket(feed, maxAgeMs, now))
    return indicator('warn', 'quiet', 'The broker sends frames, but no price has changed.');
  return indicator('bad', 'stalled', 'The broker link is up, but no prices arrive.');
}

/** Whether the broker sends frames without price changes. */
function isQuietMarket(feed: GatewayHeartbeat | undefined, maxAgeMs: number, now: number): boolean {
  if (feed === undefined || feed.status.state === 'silent') return false;
  const { last_frame_ago_ms: ago } = feed.status;
  return ago !== undefined && ago + (now - feed.receivedAt) <= maxAgeMs;
}

function describeLease({ holder, lease }: FeedStatus): string {
  if (lease === undefined) return holder === undefined ? 'No lease is held.' : `${holder} holds no lease.`;
  return `${holder ?? 'A gateway'} holds lease ${lease}.`;
}

function describeLastHolder({ holder, lease, feed }: FeedStatus): string {
  const name = holder ?? `the gateway of ${feed}`;
  return lease === undefined ? name : `${name}, which held lease ${lease}`;
}

function indicator(state: IndicatorState, text: string, detail: string): IndicatorStatus {
  return { state, text, detail };
}
